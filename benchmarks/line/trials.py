"""What the studies of faults share: trials in a child that may crash, and their records.

Needs Linux.
"""

import multiprocessing
import resource
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from small_line import RESULTS

from anomgan.detectors import load
from anomgan.evaluation.records import append_record, environment

FORK = multiprocessing.get_context("fork")
SECONDS, MEMORY = 20.0, 6 * 2**30
"""What one trial may take: time, and address space beyond what the process has at its start."""


def run_trials(count: int, trial: Callable[[int], str]) -> tuple[Counter[str], float]:
    """Run trial(0) to trial(count - 1), which say how they ended.

    Returns:
        How often each ending was seen, "crash" and "hang" among them, and the megabytes by which
        resident memory grew at most.
    """
    endings: Counter[str] = Counter()
    number, peak = 0, 0.0
    while number < count:
        ours, theirs = FORK.Pipe()
        process = FORK.Process(target=_work, args=(theirs, trial, number, count))
        process.start()
        theirs.close()
        ending = ""
        while number < count and ending not in ("crash", "hang"):
            try:
                ending, megabytes = ours.recv() if ours.poll(SECONDS) else ("hang", 0.0)
            except EOFError:
                ending, megabytes = "crash", 0.0
            if ending in ("crash", "hang"):
                print(f"trial {number}: {ending}", flush=True)
            endings[ending] += 1
            peak, number = max(peak, megabytes), number + 1
        process.kill()
        process.join()
    return endings, round(peak, 1)


def scores_of(digits: Path, model: Path) -> list[float]:
    """Scores of some digits by a model."""
    images = sorted(digits.iterdir())[:20]
    return [result.score for result in load(model, "cpu").score(images)]


def record_fault(fault: str, tried: int, outcome: str, **details: Any) -> None:
    """Append to benchmarks/results/line_faults.jsonl; a later record of a fault replaces it."""
    record = {"study": "line_faults", "fault": fault, "tried": tried, "outcome": outcome}
    print(record | details, flush=True)
    record |= details | environment(torch.device("cpu"))
    append_record(RESULTS / "line_faults.jsonl", record)


def _work(pipe: Connection, trial: Callable[[int], str], first: int, count: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = _peak()
    for number in range(first, count):
        ending = trial(number)
        pipe.send((ending, _peak() - before))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
