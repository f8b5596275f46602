"""What `anomgan score --dir --resume` and `anomgan watch` lose or double when they are killed.

    OMP_NUM_THREADS=1 python benchmarks/line/kills.py

Kills each of the two with SIGKILL at random moments of its work, starting it again each time, lets
the last start end its work, and then holds table and folders against the images. For `watch`, the
images arrive meanwhile, each in two pieces, and are moved when they are scored. Needs Linux or
macOS. Leaves benchmarks/results/line_kills.jsonl.
"""

import argparse
import csv
import json
import multiprocessing
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from small_line import RESULTS, fit_digits, link_digits, write_digits

from anomgan.cli.score import score
from anomgan.cli.watch import watch
from anomgan.evaluation.records import append_record, environment

FORK = multiprocessing.get_context("forkserver")
START, WORK = 2.0, 0.3
"""A kill comes at most so many seconds after a start (each fifth), or after the first new row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--images", type=int, default=6_000)
    options = parser.parse_args()
    FORK.set_forkserver_preload(["anomgan.cli.watch", "anomgan.inspection.watch"])
    for verb, kind in (("score", "jsonl"), ("watch", "csv")):
        with tempfile.TemporaryDirectory() as name:
            place = Path(name)
            write_digits(place / "digits")
            fit_digits(place / "digits", place / "model")
            table = place / f"results.{kind}"
            study = _score if verb == "score" else _watch
            found = study(place, table, options.kills, options.images)
        record = {"study": "line_kills", "verb": verb, "table": kind, **found}
        print(record, flush=True)
        append_record(RESULTS / "line_kills.jsonl", record | environment(torch.device("cpu")))


def _score(place: Path, table: Path, kills: int, images: int) -> dict[str, Any]:
    folder = place / "parts"
    link_digits(place / "digits", folder, images)
    arguments = {"dir": folder, "out": table, "model": place / "model", "resume": True}
    found = _kill(score, arguments, table, kills)
    process = _start(score, arguments)
    process.join()
    return found | _accounts(table, [str(path) for path in sorted(folder.iterdir())])


def _watch(place: Path, table: Path, kills: int, images: int) -> dict[str, Any]:
    folder, ok, bad = (place / name for name in ("incoming", "ok", "bad"))
    folder.mkdir()
    contents = [path.read_bytes() for path in sorted((place / "digits").iterdir())]
    arrivals = {f"{number:06}.png": contents[number % len(contents)] for number in range(images)}
    feeder = threading.Thread(target=_feed, args=(folder, arrivals))
    feeder.start()
    arguments = {"dir": folder, "out": table, "model": place / "model", "interval": 0.05}
    arguments |= {"move_ok": ok, "move_anomalous": bad}
    found = _kill(watch, arguments, table, kills)
    process = _start(watch, arguments)
    feeder.join()
    while any(folder.iterdir()) and process.is_alive():
        time.sleep(0.1)
    process.terminate()
    process.join()
    moved = [path for place in (ok, bad) for path in place.rglob("*") if path.is_file()]
    whole = [path.name for path in moved if path.read_bytes() == arrivals.get(path.name)]
    return (
        found
        | _accounts(table, [str(folder / name) for name in arrivals])
        | {
            "images_left": len(list(folder.iterdir())),
            "images_moved_whole": len(set(whole)),
            "images_moved_otherwise": len(moved) - len(set(whole)),
        }
    )


def _feed(folder: Path, arrivals: dict[str, bytes]) -> None:
    """Images arrive by and by, each in two pieces."""
    for name, content in arrivals.items():
        with (folder / name).open("wb", buffering=0) as file:
            file.write(content[: len(content) // 2])
            time.sleep(0.002)
            file.write(content[len(content) // 2 :])


def _kill(
    verb: Callable[..., None], arguments: dict[str, Any], table: Path, kills: int
) -> dict[str, int]:
    moments, growing, cut = random.Random(0), 0, 0
    for number in range(kills):
        before = _size(table)
        process = _start(verb, arguments)
        at_work = number % 5 > 0
        while at_work and process.is_alive() and _size(table) == before:
            time.sleep(0.001)
        process.join(moments.uniform(0, WORK if at_work else START))
        if not process.is_alive():
            raise SystemExit("it ended before it was killed; take more --images")
        process.kill()
        process.join()
        growing += _size(table) > before
        cut += _size(table) > 0 and not table.read_bytes().endswith(b"\n")
    lines = table.read_bytes().count(b"\n")
    return {"kills": kills, "after_new_rows": growing, "lines_cut": cut, "lines_by_then": lines}


def _start(verb: Callable[..., None], arguments: dict[str, Any]) -> multiprocessing.Process:
    process = FORK.Process(target=_quietly, args=(verb, arguments))
    process.start()
    return process


def _quietly(verb: Callable[..., None], arguments: dict[str, Any]) -> None:
    sys.stdout = open(os.devnull, "w")
    verb(**arguments, device="cpu")


def _size(table: Path) -> int:
    return table.stat().st_size if table.exists() else 0


def _accounts(table: Path, images: list[str]) -> dict[str, int]:
    """How the rows of a table stand to the images that there were."""
    rows, broken = [], 0
    if table.suffix == ".csv":
        with table.open(newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
        broken = sum(None in row or None in row.values() for row in rows)
    else:
        for line in table.read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                broken += 1
    seen = Counter(row["image"] for row in rows)
    return {
        "images": len(images),
        "rows": len(rows),
        "rows_lost": sum(image not in seen for image in images),
        "rows_doubled": sum(count - 1 for count in seen.values()),
        "rows_broken": broken,
        "rows_with_error": sum(bool(row.get("error")) for row in rows),
    }


if __name__ == "__main__":
    main()
