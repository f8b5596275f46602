// The page of the station: asks for the last parts again and again, and shows them.
import { ask, byId, element, fillTexts, pathOf, send, tell, wait } from "/page/common.js";
import { startSources } from "/page/sources.js";
import { LiveView } from "/page/live.js";
import { RegionView } from "/page/region.js";
import { ReviewView } from "/page/review.js";
import { TEXTS } from "/page/texts.js";

const OFTEN = 0.4;  // seconds between two questions

const live = new LiveView();
const review = new ReviewView();
const region = new RegionView(() => ({ model, part: live.shown }), () => showTab("review"));
let model = null;
let listed = false;  // whether the models are known; the station may have others after a restart
let started = null;
let again = () => {};

function showTab(name) {
  for (const one of ["inspect", "review"]) {
    byId(one).hidden = one !== name;
    byId(`tab-${one}`).setAttribute("aria-current", one === name ? "page" : "false");
  }
  review.isOpen = name === "review";
  location.hash = name;
  again();
}

async function signIn() {
  const dialog = byId("login");
  if (!dialog.open) dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
}

byId("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await send("/session", { token: byId("token").value });
    byId("login").close();
  } catch (error) {
    byId("login-error").textContent = error.message;
    byId("login-error").hidden = false;
  }
});
byId("login").addEventListener("cancel", (event) => event.preventDefault());

async function listModels() {
  const models = await ask("/models");
  const select = byId("model");
  select.replaceChildren();
  for (const { name } of models) element("option", select, { value: name, textContent: name });
  const before = model ?? sessionStorage.getItem("model");
  choose(models.some(({ name }) => name === before) ? before : models[0].name);
  select.value = model;
  review.enabled = models[0].review;
  listed = true;
}

function choose(name) {
  if (name === model) return;
  model = name;
  live.forget();
  review.choose(model);
  region.draw(null);
}

byId("model").addEventListener("change", (event) => {
  choose(event.target.value);
  sessionStorage.setItem("model", model);
  again();
});

async function look() {
  if (!listed) await listModels();
  const asked = model;
  const [state, health] = await Promise.all(
    [ask(`${pathOf(asked)}/parts?after=${live.last}`), ask("/health"), review.look()]);
  if (asked !== model) return;
  listed = started === null || started === state.started;
  started = state.started;
  live.show(asked, state);
  region.showOutlines(state.outlines, review.enabled);
  tell("problems", health.problems.join(" "));
}

async function run() {
  for (;;) {
    try {
      await look();
      tell("offline", null);
    } catch (error) {
      listed = listed && error.status !== 404;
      if (error.status === 401) await signIn();
      else tell("offline", error.status ? error.message : TEXTS.offline);
    }
    await Promise.race([wait(document.hidden ? 2 : OFTEN), new Promise((done) => { again = done; })]);
  }
}

function showKeys() {
  byId("key-list").replaceChildren();
  for (const [key, what] of TEXTS.keyList) {
    const row = element("tr", byId("key-list"));
    element("kbd", element("td", row), { textContent: key });
    element("td", row, { textContent: what });
  }
  byId("keys").showModal();
}

const KEYS = { i: () => showTab("inspect"), r: () => showTab("review"), t: switchTheme, "?": showKeys };
document.addEventListener("keydown", (event) => {
  const inField = event.target.matches("select, input:not([type=range], [type=checkbox])")
    || (event.key === " " && event.target.matches("button, [type=checkbox]"))
    || document.querySelector("dialog[open]");
  if (inField || event.ctrlKey || event.metaKey || event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const act = KEYS[key] || (review.isOpen ? review : live).keys[key]
    || (review.isOpen ? undefined : sources[key]);
  if (!act) return;
  event.preventDefault();
  act();
});

// What was clicked by mouse or finger loses the focus, so that Space takes a picture.
document.addEventListener("click", (event) => {
  if (event.detail && document.activeElement.matches("button, [type=checkbox]")) {
    document.activeElement.blur();
  }
});

fillTexts();
byId("tab-inspect").addEventListener("click", () => showTab("inspect"));
byId("tab-review").addEventListener("click", () => showTab("review"));
byId("theme").addEventListener("click", switchTheme);
byId("help").addEventListener("click", showKeys);
const sources = startSources(() => model, () => { live.follow(); again(); });
review.changed = () => again();
showTab(location.hash === "#review" ? "review" : "inspect");
run();
