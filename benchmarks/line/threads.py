"""Eight threads on one `Inspector` for minutes: results, memory, frames per second.

    OMP_NUM_THREADS=1 python benchmarks/line/threads.py

Each thread inspects digits in an order of its own; every result is held against that of one thread.
Needs Linux. Appends to benchmarks/results/line_threads.jsonl.
"""

import argparse
import random
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from small_line import RESULTS, fit_digits, resident, write_digits

from anomgan import Inspector
from anomgan.data.decode import read_image
from anomgan.evaluation.records import append_record, environment

SETTLED = 200
"""Frames of each thread after which memory is measured for the first time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--note", help="what else the machine did meanwhile")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_digits(place / "digits", 300)
        fit_digits(place / "digits", place / "model")
        frames = [read_image(path) for path in sorted((place / "digits").iterdir())]
        with Inspector.load(place / "model", "cpu", threads=1) as inspector:
            expected = [_told(inspector, frame) for frame in frames]
            _all(inspector, frames, expected, options.threads, count=SETTLED)
            at_start, began = resident(), time.perf_counter()
            found = _all(
                inspector, frames, expected, options.threads, until=began + 60 * options.minutes
            )
            seconds = time.perf_counter() - began
            at_end = resident()
    inspected, different = (sum(numbers) for numbers in zip(*found, strict=True))
    record = {
        "study": "line_threads",
        "inspector_threads": options.threads,
        "minutes": options.minutes,
        "frames": inspected,
        "different_results": different,
        "frames_per_second": round(inspected / seconds, 1),
        "megabytes_at_start": at_start,
        "megabytes_at_end": at_end,
        "note": options.note,
    }
    print(record)
    append_record(RESULTS / "line_threads.jsonl", record | environment(torch.device("cpu")))


def _all(
    inspector: Inspector,
    frames: list[np.ndarray],
    expected: list[tuple[float, bytes]],
    threads: int,
    *,
    count: float = float("inf"),
    until: float = float("inf"),
) -> list[tuple[int, int]]:
    """Frames inspected, and those with another result than expected, of each thread."""

    def inspect(seed: int) -> tuple[int, int]:
        order, done, different = random.Random(seed), 0, 0
        while done < count and time.perf_counter() < until:
            number = order.randrange(len(frames))
            different += _told(inspector, frames[number]) != expected[number]
            done += 1
        return done, different

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(inspect, range(threads)))


def _told(inspector: Inspector, frame: np.ndarray) -> tuple[float, bytes]:
    result = inspector.inspect(frame)
    return result.score, result.heatmap.tobytes()


if __name__ == "__main__":
    main()
