// What all views share: texts, requests, elements.
import { TEXTS } from "/page/texts.js";

export const byId = (id) => document.getElementById(id);

export function fillTexts() {
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = TEXTS[one.dataset.text];
  for (const one of document.querySelectorAll("[data-title]")) {
    one.title = TEXTS[one.dataset.title];
    one.setAttribute("aria-label", one.title);
  }
  for (const one of document.querySelectorAll("[data-alt]")) one.alt = TEXTS[one.dataset.alt];
}

export class Refused extends Error {
  constructor(status, answer, retryAfter) {
    super(answer.error || `status ${status}`);
    Object.assign(this, { status, answer, retryAfter });
  }
}

// The answer of the station as an object. Raises Refused for errors that the station explains.
export async function ask(path, options = {}) {
  const answer = await fetch(path, options);
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  throw new Refused(answer.status, body, Number(answer.headers.get("Retry-After")) || 1);
}

export function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const pathOf = (model) => `/models/${encodeURIComponent(model)}`;
export const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

export function element(tag, parent, values = {}) {
  const made = document.createElement(tag);
  Object.assign(made, values);
  parent.append(made);
  return made;
}

export function shape(tag, parent, values) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(values)) made.setAttribute(name, value);
  parent.append(made);
  return made;
}

// Boxes [x, y, width, height] in pixels of the image, over the image.
export function drawBoxes(svg, size, boxes, kind = "") {
  svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
  for (const [x, y, width, height] of boxes) shape("rect", svg, { x, y, width, height, class: kind });
}

// Where the pointer is in a picture: x and y in fractions.
export function placeIn(picture, event) {
  const frame = picture.getBoundingClientRect();
  const share = (value, size) => Math.max(0, Math.min(1, value / size));
  return [share(event.clientX - frame.left, frame.width), share(event.clientY - frame.top, frame.height)];
}

// As large as fits: a small image is made larger, a tall one does not push the rest off the page.
export function fitPicture(picture, size) {
  const share = size.width / size.height;
  picture.style.aspectRatio = `${size.width} / ${size.height}`;
  picture.style.width = `min(100%, ${(47 * share).toFixed(1)}vh)`;
}

// Four digits, and more where score and threshold would look the same.
export function figures(score, threshold) {
  for (let digits = 4; digits < 16; digits++) {
    const texts = [score, threshold].map((value) => String(Number(value.toPrecision(digits))));
    if (texts[0] !== texts[1] || score === threshold) return texts;
  }
  return [String(score), String(threshold)];
}

// Messages at the top, by who says them; null takes one back.
const said = new Map();
export function tell(who, text) {
  if (text) said.set(who, text);
  else said.delete(who);
  byId("banner").textContent = [...said.values()].join(" ");
  byId("banner").hidden = said.size === 0;
}
