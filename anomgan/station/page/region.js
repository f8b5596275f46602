// The region of interest: its outline on the image, and a new one that a person draws.
import { byId, pathOf, placeIn, Refused, send, shape, tell } from "/page/common.js";
import { TEXTS } from "/page/texts.js";

export class RegionView {
  // `current` gives the model's name and the part that is shown; `proposed` is called when a
  // recalibration with the new region has begun.
  constructor(current, proposed) {
    this.current = current;
    this.proposed = proposed;
    this.corners = null;  // of the region that is being drawn, in fractions; null: none
    this.outlines = [];  // of the model's region, likewise
    const clicks = {
      region: () => this.draw(this.corners === null ? [] : null),
      "region-again": () => this.draw([]),
      "region-save": () => this.save(),
      "region-use": () => this.use(),
    };
    for (const [id, act] of Object.entries(clicks)) byId(id).addEventListener("click", act);
    byId("picture").addEventListener("click", (event) => this.addCorner(event));
    this.show();
  }

  // The corners as `anomgan fit --roi` takes them.
  get text() {
    return this.corners.map((corner) => corner.map((one) => one.toFixed(4)).join(",")).join(" ");
  }

  showOutlines(outlines, canRecalibrate) {
    byId("region-use").hidden = !canRecalibrate;
    if (JSON.stringify(outlines) === JSON.stringify(this.outlines)) return;
    this.outlines = outlines;
    this.show();
  }

  draw(corners) {
    this.corners = corners;
    this.show();
  }

  addCorner(event) {
    if (this.corners === null) return;
    this.corners.push(placeIn(byId("picture"), event));
    this.show();
  }

  show() {
    const isDrawing = this.corners !== null;
    const svg = byId("outline");
    svg.replaceChildren();
    const points = (corners) => corners.map((corner) => corner.join(",")).join(" ");
    for (const corners of this.outlines) shape("polygon", svg, { points: points(corners) });
    if (isDrawing) shape("polygon", svg, { points: points(this.corners), class: "drawn" });
    byId("picture").classList.toggle("draw", isDrawing);
    byId("region").textContent = isDrawing ? TEXTS.regionCancel : TEXTS.region;
    byId("region-tools").hidden = !isDrawing;
    byId("region-text").textContent = isDrawing && this.corners.length ? `--roi "${this.text}"` : "";
    for (const id of ["region-save", "region-use"]) {
      byId(id).disabled = !isDrawing || this.corners.length < 3;
    }
  }

  // Saves a mask as large as the image, white where it counts.
  async save() {
    const { part } = this.current();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [part.width, part.height];
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, part.width, part.height);
    context.beginPath();
    for (const [x, y] of this.corners) context.lineTo(x * part.width, y * part.height);
    context.fillStyle = "white";
    context.fill();
    const blob = await new Promise((ready) => canvas.toBlob(ready, "image/png"));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "roi.png";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  async use() {
    const path = `${pathOf(this.current().model)}/review/recalibration`;
    try {
      await send(`${path}?roi=${encodeURIComponent(this.text)}`, {});
      tell("region", null);
      this.draw(null);
      this.proposed();
    } catch (error) {
      tell("region", error instanceof Refused ? error.message : TEXTS.notDone);
    }
  }
}
