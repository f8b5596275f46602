// The live view: verdict, image with heatmap, score, counts, drift, the last parts.
import { byId, drawBoxes, element, figures, fitPicture, pathOf, shape, tell } from "/page/common.js";
import { TEXTS } from "/page/texts.js";

const KEPT = 50;
const SIGNS = { ok: "✓", anomalous: "✕" };

export class LiveView {
  constructor() {
    this.forget();
    this.keys = {
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      Escape: () => this.follow(),
      h: () => this.switchHeat(),
    };
    byId("live").addEventListener("click", () => this.follow());
    const amount = byId("amount");
    amount.value = localStorage.getItem("heat") ?? 70;
    amount.addEventListener("input", () => this.showHeat());
    this.showHeat();
  }

  forget() {
    this.parts = [];
    this.last = 0;
    this.started = null;
    this.chosen = null;  // the part that the operator looks at; null: the newest
    this.shown = null;
    byId("strip").replaceChildren();
  }

  show(model, state) {
    if (this.started !== null && this.started !== state.started) this.forget();
    this.started = state.started;
    this.model = model;
    for (const part of state.parts) this.add(part);
    this.showState(state);
    this.showPart();
  }

  add(part) {
    this.parts.push(part);
    this.last = part.number;
    const strip = byId("strip");
    const item = document.createElement("li");
    strip.prepend(item);
    const { verdict, image } = part.result;
    const kind = part.doubtful ? "close" : verdict;
    const text = `${image}: ${TEXTS[verdict]}`;
    const button = element("button", item, { className: kind, title: text });
    element("img", button, { src: this.pictureOf(part, "thumbnail"), alt: text });
    element("b", button, { textContent: part.doubtful ? "≈" : SIGNS[verdict] });
    button.dataset.number = part.number;
    button.addEventListener("click", () => this.choose(part));
    if (this.parts.length > KEPT) {
      this.parts.shift();
      strip.lastElementChild.remove();
    }
  }

  // Numbers begin anew when the station does, and a browser shows a picture that it has again.
  pictureOf(part, kind) {
    return `${pathOf(this.model)}/parts/${part.number}/${kind}?${encodeURIComponent(this.started)}`;
  }

  choose(part) {
    this.chosen = part;
    this.showPart();
  }

  follow() {
    this.choose(null);
  }

  step(by) {
    const at = this.parts.indexOf(this.chosen ?? this.parts.at(-1)) + by;
    if (this.parts[at]) this.choose(at === this.parts.length - 1 ? null : this.parts[at]);
  }

  switchHeat() {
    const amount = byId("amount");
    amount.value = Number(amount.value) ? 0 : 70;
    this.showHeat();
  }

  showHeat() {
    localStorage.setItem("heat", byId("amount").value);
    byId("heat").style.opacity = byId("amount").value / 100;
  }

  showPart() {
    const part = this.chosen ?? this.parts.at(-1);
    byId("live").hidden = this.chosen === null;
    for (const button of byId("strip").querySelectorAll("button")) {
      button.setAttribute("aria-current", Number(button.dataset.number) === part?.number);
    }
    if (part === this.shown && part) return;
    this.shown = part;
    const verdict = part?.result.verdict;
    byId("verdict").className = `verdict ${verdict ?? "none"}${part?.doubtful ? " close" : ""}`;
    byId("sign").textContent = SIGNS[verdict] ?? "";
    byId("word").textContent = part ? TEXTS[verdict] : TEXTS.waitingForPart;
    byId("about").textContent = part ? aboutPart(part) : "";
    byId("hint").hidden = part !== undefined;
    byId("picture").hidden = byId("region").hidden = part === undefined;
    if (part) this.showPicture(part);
    this.showScore(part);
  }

  showPicture(part) {
    byId("photo").src = this.pictureOf(part, "photo");
    byId("heat").src = this.pictureOf(part, "heat");
    fitPicture(byId("picture"), part);
    byId("boxes").replaceChildren();
    const boxes = part.result.regions.map((one) => [one.x, one.y, one.width, one.height]);
    drawBoxes(byId("boxes"), part, boxes);
  }

  showScore(part) {
    const needle = byId("needle");
    needle.hidden = part === undefined;
    byId("p-value").textContent = part ? TEXTS.pValue(part.result.p_value) : "";
    byId("score").textContent = "–";
    if (!part) return;
    const { score, threshold } = part.result;
    [byId("score").textContent, byId("threshold").textContent] = figures(score, threshold);
    needle.style.left = `${3 + 94 * height(score, threshold)}%`;
  }

  showState(state) {
    this.state = state;
    if (!this.parts.length) byId("threshold").textContent = Number(state.threshold.toPrecision(4));
    tell("model", state.problem);
    const sources = byId("sources");
    sources.hidden = state.sources.length === 0;
    sources.replaceChildren();
    for (const one of state.sources) element("li", sources, { textContent: TEXTS.source(one) });
    const counts = byId("counts");
    counts.replaceChildren();
    for (const [name, text] of Object.entries(TEXTS.countNames)) {
      const pair = element("div", counts);
      element("dt", pair, { textContent: text });
      element("dd", pair, { textContent: state.counts[name] });
    }
    const drift = byId("drift");
    const { state: kind, reason } = state.drift;
    drift.className = `drift ${kind.split(" ")[0]}`;
    drift.replaceChildren();
    const text = element("span", drift);
    element("b", text, { textContent: TEXTS.driftNames[kind] });
    text.append(TEXTS.drift[kind] + TEXTS.driftReasons(reason));
    byId("calibration").textContent =
      TEXTS.calibration(state.calibration_images, state.false_alarm_rate);
    this.showChart(state.threshold);
  }

  showChart(threshold) {
    const chart = byId("chart");
    chart.replaceChildren();
    shape("line", chart, { x1: 0, x2: 300, y1: 35, y2: 35 });
    this.parts.forEach((part, at) => {
      const kind = part.doubtful ? "close" : part.result.verdict;
      const y = 66 - 62 * height(part.result.score, threshold);
      const x = 4 + 292 * (at + KEPT - this.parts.length) / (KEPT - 1);
      shape("ellipse", chart, { cx: x, cy: y, rx: 3, ry: 3, class: kind });
    });
  }
}

// Where a score stands between 0 and 1, with the threshold in the middle.
function height(score, threshold) {
  const away = (score - threshold) / (Math.abs(threshold) || 1);
  return 0.5 + 0.5 * Math.max(-1, Math.min(1, away));
}

function aboutPart(part) {
  const { image, reason } = part.result;
  const time = new Date(part.time).toLocaleTimeString();
  return [image, time, part.doubtful ? TEXTS.doubtful : "", reason].filter(Boolean).join(" · ");
}
