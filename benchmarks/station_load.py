"""Load on a station, on this machine: 8 clients for minutes, then damaged uploads.

    OMP_NUM_THREADS=1 python benchmarks/station_load.py

Every answer is held against the row of `anomgan score --json` for that image: all but name, path
and time must be the same to the last digit. Then uploads with flipped bytes, cut off or repeated,
of which none may be an error of the station. Memory of the server is measured along the way. Needs
Linux and httpx. Appends to benchmarks/results/station_load.jsonl.
"""

import argparse
import io
import json
import random
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import torch
from line.small_line import ANOMGAN, RESULTS, fit_digits, resident, write_digits
from PIL import Image

from anomgan.data.folders import list_images
from anomgan.evaluation.records import append_record, environment

IMAGES = 6
"""Different images that the clients send."""
SETTLED = 20
"""Answers of each client after which memory is measured for the first time."""
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")
OWN = ("image", "milliseconds", "model", "heatmap_png")
"""What may differ in a row."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--damaged", type=int, default=10_000, help="damaged uploads")
    parser.add_argument("--model", type=Path, help="default: a small one of digits")
    parser.add_argument("--dir", type=Path, help="images for --model")
    parser.add_argument("--note", help="what else the machine did meanwhile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        model, folder = options.model, options.dir
        if model is None:
            model, folder = Path(scratch) / "model", Path(scratch) / "digits"
            write_digits(folder, 100)
            fit_digits(folder, model)
        every = list_images(folder)
        paths = every[:: max(1, len(every) // IMAGES)][:IMAGES]
        rows = [score_alone(model, path) for path in paths]
        with station(model) as (url, process):
            loaded = load(url, process, paths, rows, options.clients, 60 * options.minutes)
            damaged = send_damaged(url, process, paths[0], options.damaged, options.clients)
    alone = float(np.median([row["milliseconds"] for row in rows]))
    record = {
        "study": "station_load",
        "model": "digits" if options.model is None else options.model.name,
        "clients": options.clients,
        "minutes": options.minutes,
        "ms_command_line": round(alone, 1),
        **loaded,
        **damaged,
        "note": options.note,
    }
    print(json.dumps(record, indent=1))
    append_record(RESULTS / "station_load.jsonl", record | environment(torch.device("cpu")))


def score_alone(model: Path, path: Path) -> dict[str, Any]:
    """The row of the command line."""
    command = (*ANOMGAN, "score", "--json", "--model", model, "--image", path)
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


@contextmanager
def station(model: Path, *options: str | Path) -> Iterator[tuple[str, int]]:
    """A station; gives the address that scores, and the process."""
    command = (*ANOMGAN, "serve", "--port", "0", "--model", f"part={model}", *options)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r"http://\S+/", server.stdout.readline())
            assert found
            yield f"{found[0]}models/part/score", server.pid
        finally:
            server.terminate()


def load(
    url: str,
    process: int,
    paths: Sequence[Path],
    rows: Sequence[dict[str, Any]],
    clients: int,
    seconds: float,
) -> dict[str, Any]:
    """Clients that send one image after the other; counts answers, differences and times."""
    contents = [path.read_bytes() for path in paths]

    def work(number: int, until: float | None) -> tuple[int, int, int, list[float]]:
        rng, different, refused, times = random.Random(number), 0, 0, []
        with httpx.Client(timeout=60) as client:
            sent = 0
            while time.perf_counter() < until if until else sent < SETTLED:
                which = rng.randrange(len(contents))
                began = time.perf_counter()
                answer = client.post(url, content=contents[which], params={"heatmap": sent % 2})
                sent += 1
                if answer.status_code == 503:
                    refused += 1
                    continue
                times.append(time.perf_counter() - began)
                different += answer.status_code != 200 or not is_same(answer.json(), rows[which])
        return sent, different, refused, times

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(work, range(clients), [None] * clients))
        at_start = resident(process)
        until = time.perf_counter() + seconds
        done = list(pool.map(work, range(clients), [until] * clients))
    sent, different, refused, times = zip(*done, strict=True)
    all_times = 1000 * np.concatenate([np.array(some) for some in times])
    return {
        "answers": sum(sent),
        "different_answers": sum(different),
        "turned_away": sum(refused),
        "ms_median": round(float(np.median(all_times)), 1),
        "ms_95th": round(float(np.percentile(all_times, 95)), 1),
        "images_per_second": round(len(all_times) / seconds, 1),
        "megabytes_at_start": at_start,
        "megabytes_at_end": resident(process),
    }


def send_damaged(url: str, process: int, path: Path, count: int, clients: int) -> dict[str, Any]:
    """Uploads that are damaged in every way; counts what is answered."""
    whole = [_encoded(path, kind) for kind in FORMATS]

    def work(numbers: Sequence[int]) -> Counter[int]:
        statuses: Counter[int] = Counter()
        with httpx.Client(timeout=60) as client:
            for number in numbers:
                data = _damaged(whole[number % len(whole)], random.Random(number))
                form = {"files": {"file": (f"{number}.png", data)}}
                answer = client.post(url, **form if number % 3 == 0 else {"content": data})
                answer.json()
                statuses[answer.status_code] += 1
        return statuses

    before = resident(process)
    with ThreadPoolExecutor(clients) as pool:
        shares = [range(first, count, clients) for first in range(clients)]
        statuses = sum(pool.map(work, shares), Counter[int]())
    return {
        "damaged": count,
        "damaged_scored": statuses[200],
        "damaged_refused": sum(n for status, n in statuses.items() if 400 <= status < 500),
        "damaged_failed": sum(n for status, n in statuses.items() if status >= 500),
        "damaged_megabytes_at_start": before,
        "damaged_megabytes_at_end": resident(process),
    }


def is_same(answer: dict[str, Any], row: dict[str, Any]) -> bool:
    """Whether an answer is the row of the command line."""
    wanted = {key: value for key, value in row.items() if key not in OWN}
    return wanted == {key: value for key, value in answer.items() if key not in OWN}


def _encoded(path: Path, kind: str) -> bytes:
    data = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(data, kind)
    return data.getvalue()


def _damaged(whole: bytes, rng: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 3, 30))):
        reach = rng.choice((64, len(data)))  # the head of a file matters most
        data[rng.randrange(min(reach, len(data)))] = rng.randrange(256)
    how = rng.random()
    if how < 0.2:
        del data[rng.randrange(len(data)) :]
    elif how < 0.3:
        at = rng.randrange(len(data))
        data[at:at] = data[rng.randrange(len(data)) :]
    return bytes(data)


if __name__ == "__main__":
    main()
