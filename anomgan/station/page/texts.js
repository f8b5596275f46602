// All texts of the page. Errors in sentences come from the station.
export const TEXTS = {
  title: "anomgan station",
  inspect: "Inspect",
  review: "Review",
  model: "Model",
  theme: "Dark or light (T)",
  keys: "Keys (?)",
  close: "Close",
  api: "HTTP service",

  waitingForPart: "Waiting",
  waitingHint: "Drop an image here, open a file, or start the camera.",
  ok: "OK",
  anomalous: "DEFECT",
  doubtful: "OK, but close to the threshold",
  live: "Back to live",
  heat: "Heatmap",
  photoAlt: "The part that was inspected",

  score: "Score",
  threshold: "threshold",
  pValue: (p) => `About ${percent(p)} of good parts score this high`,
  recent: "Last 50 scores",
  counts: "Counts",
  countNames: { ok: "OK", anomalous: "defect", doubtful: "close", unreadable: "unreadable" },
  lastParts: "Last parts",
  calibration: (n, rate) => `${n} calibration images, at most ${percent(rate)} false alarms`,

  drift: {
    steady: "Good parts score as they did when the model was calibrated.",
    drifting: "Good parts have begun to score differently. Check light, focus and position.",
    "out of calibration":
      "Good parts score differently now: false alarms are no longer as promised. "
      + "Check light, focus and position; if they are right, recalibrate.",
  },
  driftNames: { steady: "Steady", drifting: "Drifting", "out of calibration": "Out of calibration" },
  driftReasons: (reason) => reason ? ` What has changed: ${reason}.` : "",

  open: "Open files",
  openKey: "O",
  camera: "Start camera",
  cameraStop: "Stop camera",
  take: "Take picture",
  takeKey: "Space",
  every: "every",
  seconds: "s",
  source: ({ name, came, dropped, ended }) => `The station reads ${name}: ${came} images`
    + (dropped ? `, ${dropped} dropped because earlier ones were still being scored` : "")
    + (ended ? "; it has ended." : "."),
  region: "Draw region",
  regionCancel: "Cancel region",
  regionHint: "Click the corners of the part of the image that counts. Nothing changes until you use "
    + "it: save a mask for the next fit or recalibration, or recalibrate with it and say so in the "
    + "review.",
  regionAgain: "Start again",
  regionSave: "Save mask",
  regionUse: "Recalibrate with it",
  dropHere: "Drop images to inspect them",
  sending: (done, all) => `${done} of ${all} inspected`,
  busy: (seconds) => `The station is busy; trying again in ${seconds} s.`,
  noCamera: (why) => `The camera can't be used: ${why}`,
  insecure: "a browser gives the camera only to pages from this machine or over https.",
  notSent: (name) => `${name} was not inspected, because the station did not answer. Send it again.`,
  notDone: "This was not saved, because the station did not answer. Try again.",
  offline: "The station does not answer. Trying again.",
  signIn: "Sign in",
  token: "Token of the station",

  good: "Good",
  goodKey: "G",
  defect: "Defect",
  defectKey: "D",
  undo: "Undo",
  undoKey: "U",
  clear: "Clear boxes",
  clearKey: "C",
  skip: "Next",
  previous: "Previous",
  reviewOff: "There is no review: start the station with --review DIR to keep doubtful parts and "
    + "defects for a person to look at.",
  reviewEmpty: "Nothing waits for you.",
  reviewHint: "Draw boxes around defects with the mouse or a finger.",
  waiting: (n) => n === 1 ? "1 part waits" : `${n} parts wait`,
  why: {
    doubtful: "close to the threshold", anomalous: "called a defect", all: "queued like every part",
  },
  others: (n) => n === 1
    ? "One other operator is reviewing these parts now."
    : `${n} other operators are reviewing these parts now.`,
  answered: (good, defect) => `${good} called good, ${defect} called defect`,
  notQueued: (n) => `The queue is full: ${n} parts were not queued.`,
  queueAll: "Queue every part",
  queueAllHint: "Switch this on for a while before you recalibrate: a threshold needs all kinds of "
    + "good parts, not only those that were close.",
  recalibrate: "Recalibrate with what was called good",
  recalibrating: (n) => `Calibrating on ${n} parts that were called good…`,
  newRegion: "Only the new region counts from then on.",
  before: "Threshold now",
  after: "Threshold after",
  apply: "Use the new threshold",
  discard: "Keep the old one",
  applied: "In use. The model's folder holds the new threshold.",
  defectsFound: (before, after, all) => all
    ? `Of ${all} parts called defect, ${before} are found now and ${after} with the new threshold.`
    : "No part was called defect, so it is not known how many defects the new threshold finds.",
  basis: (n, chosen) => chosen
    ? `Calibrated on ${n} good parts. ${chosen} of them were queued because they were close to the `
      + "threshold or called a defect. Such parts score higher than usual, so this threshold is "
      + "too high. Queue every part for a while, then recalibrate."
    : `Calibrated on ${n} good parts, queued whatever their score.`,
  promise: (rate) => `At most ${percent(rate)} of good parts are called defect.`,
  exportMvtec: "Export images and masks",
  exported: (folder, good, defect) =>
    `${good} good and ${defect} defective images are in ${folder} on the station's machine.`,

  keyList: [
    ["Space", "take a picture"],
    ["O", "open files"],
    ["← →", "the part before or after"],
    ["Esc", "back to live"],
    ["H", "heatmap on or off"],
    ["I / R", "inspect / review"],
    ["G", "review: good"],
    ["D", "review: defect"],
    ["U", "review: undo"],
    ["C", "review: clear boxes"],
    ["T", "dark or light"],
  ],
};

function percent(share) {
  const value = 100 * share;
  return `${value < 10 ? Number(value.toPrecision(2)) : Math.round(value)}%`;
}
