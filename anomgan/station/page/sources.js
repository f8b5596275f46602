// Where images come from: files that are dropped or opened, and the browser's camera.
import { ask, byId, pathOf, Refused, tell, wait } from "/page/common.js";
import { TEXTS } from "/page/texts.js";

let queued = 0, done = 0, working = Promise.resolve();

// Sends one image; waits while the station is busy.
async function inspect(model, blob, name) {
  const path = `${pathOf(model)}/score?name=${encodeURIComponent(name)}`;
  const headers = { "Content-Type": blob.type || "application/octet-stream" };
  for (;;) {
    try {
      return await ask(path, { method: "POST", headers, body: blob });
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 503) throw error;
      tell("busy", TEXTS.busy(error.retryAfter));
      await wait(error.retryAfter);
    }
  }
}

export function startSources(model, inspected) {
  function take(blob, name) {
    const to = model();
    if (!queued++) tell("upload", null);  // what is wrong with one of several stays to be read
    working = working.then(async () => {
      try {
        await inspect(to, blob, name);
      } catch (error) {
        tell("upload", error instanceof Refused ? error.message : TEXTS.notSent(name));
      }
      tell("busy", null);
      done++;
      byId("progress").textContent = queued > 1 ? TEXTS.sending(done, queued) : "";
      if (done === queued) queued = done = 0;
      inspected();
    });
    return working;
  }

  function takeFiles(files) {
    for (const file of files) take(file, file.name);
  }

  byId("open").addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", (event) => {
    takeFiles(event.target.files);
    event.target.value = "";
  });
  startDrop(takeFiles);
  const picture = startCamera(take);
  return { o: () => byId("file").click(), " ": picture };
}

function startDrop(takeFiles) {
  const drop = byId("drop");
  let inside = 0;  // dragenter and dragleave come for every element
  const holdsFiles = (event) => event.dataTransfer && event.dataTransfer.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (holdsFiles(event)) drop.hidden = ++inside === 0;
  });
  addEventListener("dragleave", (event) => {
    if (holdsFiles(event)) drop.hidden = --inside <= 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    drop.hidden = true;
    takeFiles(event.dataTransfer.files);
  });
}

function startCamera(take) {
  const video = byId("video");
  let stream = null;
  let repeats = 0;  // the last repetition; earlier ones end

  async function picture() {
    if (!stream || !video.videoWidth) return;
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((ready) => canvas.toBlob(ready, "image/png"));
    const time = new Date().toISOString().replaceAll(":", "").slice(0, 17);
    await take(blob, `camera-${time}.png`);
  }

  async function repeat() {
    const mine = ++repeats;
    while (mine === repeats && stream && byId("auto").checked) {
      const began = performance.now();
      await picture();  // the next one when this one has its verdict
      const rest = Number(byId("period").value) - (performance.now() - began) / 1000;
      await wait(Math.max(0.05, rest));
    }
  }

  function stop() {
    for (const track of stream ? stream.getTracks() : []) track.stop();
    stream = null;
    show();
  }

  function show() {
    video.hidden = byId("camera-tools").hidden = stream === null;
    byId("camera").textContent = stream ? TEXTS.cameraStop : TEXTS.camera;
  }

  byId("camera").addEventListener("click", async () => {
    if (stream) return stop();
    byId("camera").disabled = true;  // a second click would open a second stream
    try {
      if (!navigator.mediaDevices) throw new Error(TEXTS.insecure);
      const wanted = { width: { ideal: 1920 }, facingMode: { ideal: "environment" } };
      stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
      stream.getTracks()[0].addEventListener("ended", stop);
      video.srcObject = stream;
      await video.play();
      tell("camera", null);
    } catch (error) {
      stop();
      tell("camera", TEXTS.noCamera(error.message));
    }
    byId("camera").disabled = false;
    show();
    repeat();
  });
  byId("take").addEventListener("click", picture);
  byId("auto").addEventListener("change", repeat);
  return picture;
}
