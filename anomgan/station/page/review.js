// The review: parts that wait for a person's word, and the recalibration.
import {
  ask, byId, drawBoxes, figures, fitPicture, pathOf, placeIn, Refused, send, tell,
} from "/page/common.js";
import { TEXTS } from "/page/texts.js";

const OPERATOR = sessionStorage.getItem("operator") || crypto.getRandomValues(new Uint32Array(2)).join("-");
sessionStorage.setItem("operator", OPERATOR);

export class ReviewView {
  constructor() {
    this.isOpen = false;
    this.enabled = false;  // whether the station has a review
    this.changed = () => {};
    this.choose(null);
    this.keys = {
      g: () => this.say("good"),
      d: () => this.say("defect"),
      u: () => this.undo(),
      c: () => this.clear(),
      h: () => this.switchHeat(),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
    };
    const clicks = {
      good: this.keys.g, defect: this.keys.d, undo: this.keys.u, clear: this.keys.c,
      previous: this.keys.ArrowLeft, skip: this.keys.ArrowRight,
      recalibrate: () => this.recalibrate(""), apply: () => this.recalibrate("/apply"),
      discard: () => this.recalibrate("/discard"), export: () => this.export(),
    };
    for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
    byId("review-amount").addEventListener("input", () => this.showHeat());
    byId("queue-all").addEventListener("change", (event) => this.do(
      () => send(`${this.path}/queue`, { every_part: event.target.checked })));
    this.showHeat();
    this.startDrawing();
  }

  choose(model) {
    this.model = model;
    this.parts = [];
    this.at = 0;
    this.boxes = [];
    this.shown = null;
    this.last = null;  // what was answered last, for undo
  }

  get path() {
    return `${pathOf(this.model)}/review`;
  }

  get part() {
    return this.parts[this.at];
  }

  // Asks for what waits.
  async look() {
    byId("review-on").hidden = !this.enabled;
    byId("review-off").hidden = this.enabled;
    if (!this.enabled) return;
    const asked = this.model;
    const state = await ask(this.path + (this.isOpen ? `?operator=${OPERATOR}` : ""));
    if (asked === this.model) this.show(state);
  }

  show(state) {
    const before = this.part?.file;
    this.parts = state.parts;
    const place = this.parts.findIndex((part) => part.file === before);
    this.at = place >= 0 ? place : Math.max(0, Math.min(this.at, this.parts.length - 1));
    byId("badge").hidden = state.waiting === 0;
    byId("badge").textContent = state.waiting;
    byId("review-waiting").textContent = TEXTS.waiting(state.waiting);
    byId("review-answered").textContent = TEXTS.answered(state.good, state.defect);
    byId("review-others").hidden = state.others === 0;
    byId("review-others").textContent = TEXTS.others(state.others);
    byId("review-dropped").hidden = state.dropped === 0;
    byId("review-dropped").textContent = TEXTS.notQueued(state.dropped);
    byId("queue-all").checked = state.every_part;
    byId("recalibrate").disabled = state.good === 0 || state.recalibration.state === "running";
    this.showPart();
    this.showRecalibration(state.recalibration);
  }

  showPart() {
    const part = this.part;
    for (const id of ["good", "defect", "clear", "skip", "previous"]) byId(id).disabled = !part;
    byId("undo").disabled = !this.last;
    byId("review-picture").hidden = !part;
    byId("review-empty").hidden = Boolean(part);
    if (part?.file === this.shown) return;
    this.shown = part?.file ?? null;
    this.boxes = [];
    byId("review-about").textContent = "";
    if (!part) return;
    const [score, threshold] = figures(part.score, part.threshold);
    byId("review-about").textContent = [part.name, TEXTS.why[part.why],
      `${TEXTS.score} ${score}, ${TEXTS.threshold} ${threshold}`].join(" · ");
    const file = encodeURIComponent(part.file);  // another one if the folder is another
    byId("review-photo").src = `${this.path}/${part.id}/photo?${file}`;
    byId("review-photo").alt = TEXTS.photoAlt;
    byId("review-heat").src = `${this.path}/${part.id}/heat?${file}`;
    fitPicture(byId("review-picture"), part);
    this.showBoxes();
  }

  showBoxes(extra = []) {
    const svg = byId("review-boxes");
    svg.replaceChildren();
    if (!this.part) return;
    drawBoxes(svg, this.part, [...this.boxes, ...extra], "drawn");
  }

  showHeat() {
    byId("review-heat").style.opacity = byId("review-amount").value / 100;
  }

  switchHeat() {
    const amount = byId("review-amount");
    amount.value = Number(amount.value) ? 0 : 40;
    this.showHeat();
  }

  startDrawing() {
    const picture = byId("review-picture");
    let from = null;
    const point = (event) => {
      const [x, y] = placeIn(picture, event);
      return [x * this.part.width, y * this.part.height];
    };
    const box = (to) => [Math.min(from[0], to[0]), Math.min(from[1], to[1]),
      Math.abs(from[0] - to[0]), Math.abs(from[1] - to[1])].map(Math.round);
    picture.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      picture.setPointerCapture(event.pointerId);
      from = point(event);
    });
    picture.addEventListener("pointermove", (event) => from && this.showBoxes([box(point(event))]));
    picture.addEventListener("pointerup", (event) => {
      if (!from) return;
      const drawn = box(point(event));
      from = null;
      if (drawn[2] > 1 && drawn[3] > 1) this.boxes.push(drawn);
      this.showBoxes();
    });
    picture.addEventListener("pointercancel", () => { from = null; this.showBoxes(); });
  }

  clear() {
    this.boxes = [];
    this.showBoxes();
  }

  step(by) {
    if (!this.parts.length) return;
    this.at = (this.at + by + this.parts.length) % this.parts.length;
    this.showPart();
  }

  // The part leaves the queue when the station has saved the answer, not before.
  async say(answer) {
    const part = this.part;
    if (!part || this.saving) return;
    this.saving = true;
    const said = { answer, boxes: this.boxes, operator: OPERATOR, version: part.version };
    await this.do(async () => {
      this.last = await send(`${this.path}/${part.id}`, said);
      this.parts = this.parts.filter((one) => one.id !== part.id);
      this.at = Math.min(this.at, Math.max(0, this.parts.length - 1));
      this.showPart();
    });
    this.saving = false;
  }

  async undo() {
    const { id, version } = this.last ?? {};
    if (id === undefined) return;
    this.last = null;
    await this.do(() => send(`${this.path}/${id}`, { answer: null, operator: OPERATOR, version }));
  }

  recalibrate(step) {
    return this.do(async () => this.showRecalibration(
      await send(`${this.path}/recalibration${step}`, {})));
  }

  export() {
    return this.do(async () => {
      const made = await send(`${this.path}/export`, {});
      byId("exported").textContent = TEXTS.exported(made.folder, made.good, made.defect);
    });
  }

  async do(work) {
    try {
      await work();
      tell("review", null);
    } catch (error) {
      tell("review", error instanceof Refused ? error.message : TEXTS.notDone);
    }
    this.changed();
  }

  showRecalibration(about) {
    const { state } = about;
    byId("recalibration").hidden = state === "none";
    const isKnown = about.after !== undefined;
    const text = { running: TEXTS.recalibrating(about.images ?? ""), failed: about.error,
      applied: TEXTS.applied };
    byId("recalibration-state").textContent = text[state]
      ?? (isKnown ? TEXTS.basis(about.images, about.chosen) : "");
    byId("thresholds").hidden = byId("recalibration-found").hidden = !isKnown;
    byId("recalibration-promise").hidden = !isKnown;
    byId("recalibration-buttons").hidden = state !== "ready";
    if (!isKnown) return;
    [byId("threshold-before").textContent, byId("threshold-after").textContent] =
      figures(about.before, about.after);
    byId("recalibration-found").textContent =
      TEXTS.defectsFound(about.found_before, about.found_after, about.defects);
    byId("recalibration-promise").textContent = TEXTS.promise(about.false_alarm_rate)
      + (about.roi ? ` ${TEXTS.newRegion}` : "");
  }
}
