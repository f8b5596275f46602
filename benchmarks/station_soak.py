"""A station and a watch side by side for an hour, with faults from outside.

    OMP_NUM_THREADS=1 python benchmarks/station_soak.py

A stream over HTTP shows digits to `anomgan watch` and to `anomgan serve`, which also gets uploads,
and a person answers for every part. Meanwhile the stream breaks off or hangs, the disk of table and
review is full, and the model is replaced slowly, or damaged. In the end each frame must be in the
table or said to be dropped, each upload answered with the row of `anomgan score`, and each part and
each answer in the review. Needs Linux, httpx and the right to mount (root). Appends to
benchmarks/results/station_soak.jsonl.
"""

import argparse
import csv
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import torch
from line.small_line import ANOMGAN, RESULTS, fit_digits, mount, resident, write_digits
from line.stream import Stream
from station_clients import PATIENCE, Clients, Found
from station_load import score_alone, station

from anomgan.data.folders import list_images
from anomgan.evaluation.records import append_record, environment

IMAGES = 2
"""Different digits that are uploaded."""
CYCLE, LASTS = 600.0, 20.0
"""Seconds in which each fault comes once, and for which it lasts."""
SETTLED = 60.0
"""Seconds after which memory is measured for the first time."""
DISK = "size=1g"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--note", help="what else the machine did meanwhile")
    options = parser.parse_args()
    record = {"study": "station_soak", "detector": "ganomaly", "minutes": options.minutes}
    with tempfile.TemporaryDirectory() as name:
        record |= soak(Path(name), 60 * options.minutes) | {"note": options.note}
    print(json.dumps(record, indent=1))
    append_record(RESULTS / "station_soak.jsonl", record | environment(torch.device("cpu")))


def soak(place: Path, seconds: float) -> Found:
    """Let both run for so long, and hold what they say against what was shown to them."""
    disk = place / "disk"
    disk.mkdir()
    models = [place / "first", place / "second"]
    for count, model in zip((100, 140), models, strict=True):
        write_digits(place / f"{count}", count)
        fit_digits(place / f"{count}", model)
    images = list_images(place / "100")[:: 100 // IMAGES][:IMAGES]
    rows = [[score_alone(model, image) for image in images] for model in models]
    shutil.copytree(models[0], place / "model")
    mount(disk, DISK)
    with ExitStack() as stack:
        stack.callback(lambda: subprocess.run(["umount", "--lazy", disk], check=True))
        stream = stack.enter_context(closing(Stream(list_images(place / "140"))))
        serve = stack.enter_context(ExitStack())
        video = ("--video", f"{stream.address}/station")
        options = (*video, "--review", disk / "review")
        url, process = serve.enter_context(station(place / "model", *options))
        table, log = disk / "rows.csv", place / "watch.log"
        video = ("--video", f"{stream.address}/watch")
        command = (*ANOMGAN, "watch", *video, "--model", models[0], "--out", table, "--log-json")
        watch = subprocess.Popen(command, stderr=stack.enter_context(log.open("w")))
        stack.callback(watch.kill)
        clients = Clients(url, [image.read_bytes() for image in images], rows)
        faults = Faults(stream, disk, place / "model", models, clients)
        memory = faults.run(seconds, {"watch": watch.pid, "station": process})
        stream.away.set()
        time.sleep(2)  # for what is under way
        state = clients.end()
        watch.terminate()
        watch.wait()
        serve.close()
        about = {"faults": faults.tried, "faults_said": faults.said}
        return about | _frames(stream, log, table, state) | clients.found(disk, state) | memory


class Faults:
    """What goes wrong, one after the other; counts which faults the station has told of."""

    def __init__(
        self, stream: Stream, disk: Path, model: Path, models: list[Path], clients: Clients
    ) -> None:
        self._stream, self._disk, self._clients = stream, disk, clients
        self._model, self._models = model, models
        self.tried = self.said = 0

    def run(self, seconds: float, processes: dict[str, int]) -> Found:
        """Make each fault once in a cycle; gives the memory of the processes along the way."""
        faults = (self._camera_away, self._disk_full, self._replaced, self._damaged)
        began, cycle = time.monotonic(), min(CYCLE, seconds)
        seen: dict[str, list[float]] = {name: [] for name in processes}
        while (passed := time.monotonic() - began) < seconds:
            due = (self.tried % len(faults) + 0.5) / len(faults) + self.tried // len(faults)
            if passed >= due * cycle:
                self.said += faults[self.tried % len(faults)](self.tried // len(faults))
                self.tried += 1
            if passed > min(SETTLED, seconds / 3):
                for name, process in processes.items():
                    seen[name].append(resident(process))
            time.sleep(5)
        return {
            f"{name}_megabytes_{moment}": values[which]
            for name, values in seen.items()
            for moment, which in {"at_start": 0, "at_end": -1}.items()
        }

    def _camera_away(self, cycle: int) -> bool:
        self._stream.hangs = cycle % 2 == 1
        self._stream.away.set()
        time.sleep(LASTS)
        said = self._told("gives no frames")
        self._stream.away.clear()
        return said

    def _disk_full(self, cycle: int) -> bool:
        while True:
            text = subprocess.check_output(["df", "-k", "--output=used", self._disk], text=True)
            try:
                mount(self._disk, f"remount,size={text.split()[1]}k")
                break
            except subprocess.CalledProcessError:
                continue  # it has just grown
        time.sleep(LASTS)
        said = self._told("held in memory")
        mount(self._disk, f"remount,{DISK}")
        return said

    def _replaced(self, cycle: int) -> bool:
        """Another model is copied in its place, file by file and slowly."""
        source = self._models[(cycle + 1) % 2]
        shutil.rmtree(self._model)
        self._model.mkdir()
        for path in sorted(source.iterdir()):
            shutil.copy(path, self._model)
            time.sleep(LASTS / 6)
        wanted = self._clients.model_ids[(cycle + 1) % 2]
        return _within(PATIENCE, lambda: self._clients.get("parts")["model_id"] == wanted)

    def _damaged(self, cycle: int) -> bool:
        weights = self._model / "weights.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[: len(whole) // 2])
        time.sleep(LASTS)
        said = self._told("still serves")
        weights.write_bytes(whole)
        return said

    def _told(self, text: str) -> bool:
        return _within(PATIENCE, lambda: text in self._clients.problems())


def _within(seconds: float, true: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not true():
        if time.monotonic() > until:
            return False
        time.sleep(1)
    return True


def _frames(stream: Stream, log: Path, table: Path, state: Found) -> Found:
    """What became of the frames that were shown; the first connection of each only looks."""
    stopped = json.loads(log.read_text().splitlines()[-1])
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    (source,) = state["sources"]
    return {
        "frames_shown": sum(stream.shown["/watch"][1:]),
        "frames_came": stopped["frames"],
        "rows": len(rows),
        "rows_doubled": len(rows) - len({row["image"] for row in rows}),
        "rows_with_error": sum(bool(row["error"]) for row in rows),
        "frames_dropped": stopped["dropped"],
        "station_frames_shown": sum(stream.shown["/station"][1:]),
        "station_frames_came": source["came"],
        "station_frames_dropped": source["dropped"],
        "station_scored": sum(state["counts"][name] for name in ("ok", "anomalous")),
    }


if __name__ == "__main__":
    main()
