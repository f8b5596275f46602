// Shows /openapi.json as a page: each operation with its parameters and what it answers.
"use strict";

function element(tag, text, parent) {
  const made = document.createElement(tag);
  made.textContent = text;
  parent.append(made);
  return made;
}

function table(rows, parent) {
  const body = element("table", "", parent);
  for (const cells of rows) {
    const row = element("tr", "", body);
    for (const cell of cells) element("td", cell, row);
  }
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.anyOf) return schema.anyOf.map(typeOf).join(" or ");
  if (schema.type === "array") return "list of " + typeOf(schema.items || {});
  return schema.format || schema.type || "";
}

function showOperation(method, path, operation, parent) {
  const section = element("section", "", parent);
  element("h2", method.toUpperCase() + " " + path, section);
  element("p", operation.description || operation.summary, section);
  const body = operation.requestBody;
  const taken = (operation.parameters || []).map(
    (one) => [one.name, one.in, typeOf(one.schema), one.required ? "required" : ""]);
  for (const [kind, content] of Object.entries(body ? body.content : {})) {
    taken.push(["body", kind, typeOf(content.schema), body.required ? "required" : ""]);
  }
  if (taken.length) table(taken, section);
  table(Object.entries(operation.responses).map(([status, answer]) => {
    const [content] = Object.values(answer.content || {});
    return [status, answer.description, content ? typeOf(content.schema) : ""];
  }), section);
}

function showSchema(name, schema, parent) {
  const section = element("section", "", parent);
  element("h2", name, section);
  element("p", schema.description || "", section);
  table(Object.entries(schema.properties || {}).map(
    ([key, value]) => [key, typeOf(value), value.description || ""]), section);
}

async function show() {
  document.getElementById("host").textContent = location.host;
  const parent = document.getElementById("operations");
  const about = await (await fetch("/openapi.json")).json();
  for (const [path, methods] of Object.entries(about.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      showOperation(method, path, operation, parent);
    }
  }
  for (const [name, schema] of Object.entries(about.components.schemas)) {
    showSchema(name, schema, parent);
  }
}

show();
