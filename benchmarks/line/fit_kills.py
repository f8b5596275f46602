"""What `anomgan fit --resume` loses when it is killed while it trains and while it saves.

    OMP_NUM_THREADS=1 python benchmarks/line/fit_kills.py

The model folder holds an earlier model. Every other kill comes at a random moment after a new
checkpoint, the others at one after saving began. After each, the folder must hold the earlier model
or the new one, whole; the last start ends the fit, whose model is held against that of a fit which
nobody stopped. Needs Linux or macOS. Appends to benchmarks/results/line_faults.jsonl.
"""

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from small_line import write_digits
from torch import Tensor
from trials import record_fault, scores_of

from anomgan.cli.fit import fit
from anomgan.model_files import read_folder

FORK = multiprocessing.get_context("forkserver")
WORK = 1.0
"""A kill comes at most so many seconds after a new checkpoint, or after saving began."""
SETTINGS = (
    "view.kind=whole",
    "view.size=32",
    "network.features=8",
    "network.latent_dim=8",
    "training.batch_size=8",
    "training.checkpoint_minutes=0.0001",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=60)
    options = parser.parse_args()
    FORK.set_forkserver_preload(["anomgan.cli.fit", "anomgan.cli.plan", "anomgan.detectors"])
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_digits(place / "digits", 100)
        _run(_start(place, "expected", options.steps))
        _run(_start(place, "model", 20, seed=1))
        earlier, expected = _weights(place / "model"), _weights(place / "expected")
        moments, seen = random.Random(0), Counter[str]()
        while (killed := seen["killed at work"] + seen["killed while saving"]) < options.kills:
            seen[_kill(place, options.steps, moments, saving=killed % 2 > 0)] += 1
            seen[_held(place / "model", earlier, expected)] += 1
        _run(_start(place, "model", options.steps))
        seen[_held(place / "model", earlier, expected)] += 1
        found, wanted = (scores_of(place / "digits", place / one) for one in ("model", "expected"))
        left = len(list(place.glob(".model.*")))
    broken = seen["broken"]
    outcome = f"{broken} models broken or lost; the last one has "
    outcome += (
        "the same weights and scores"
        if found == wanted and seen["new"]
        else "OTHER weights or scores"
    )
    outcome += " as without kills"
    record_fault("fit killed", killed, outcome, **seen, half_folders_left=left)


def _kill(place: Path, steps: int, moments: random.Random, *, saving: bool) -> str:
    """Kill a fit, and say what it was at."""
    halves = _halves(place)
    checkpoint = place / "model.training" / "ganomaly.safetensors"
    before = _version(checkpoint)
    process = _start(place, "model", steps)
    begun: Callable[[], bool] = (
        (lambda: _halves(place) != halves) if saving else (lambda: _version(checkpoint) != before)
    )
    while process.is_alive() and not begun():
        time.sleep(0.001)
    process.join(moments.uniform(0, WORK))
    ended = not process.is_alive()
    process.kill()
    process.join()
    if ended:
        return "ended before"
    return "killed while saving" if _halves(place) != halves else "killed at work"


def _held(model: Path, earlier: dict[str, Tensor], expected: dict[str, Tensor]) -> str:
    """Which model a folder holds."""
    try:
        found = _weights(model)
    except Exception as error:
        print(error, flush=True)
        return "broken"
    for name, weights in (("earlier", earlier), ("new", expected)):
        if found.keys() == weights.keys() and all(
            torch.equal(found[key], weights[key]) for key in found
        ):
            return name
    return "broken"


def _weights(model: Path) -> dict[str, Tensor]:
    return dict(sorted(read_folder(model, "")[1].items()))


def _start(place: Path, out: str, steps: int, seed: int = 0) -> multiprocessing.Process:
    arguments = {"normal_dir": place / "digits", "out": place / out, "steps": steps, "seed": seed}
    process = FORK.Process(target=_quietly, args=(arguments,))
    process.start()
    return process


def _run(process: multiprocessing.Process) -> None:
    process.join()
    if process.exitcode:
        raise SystemExit("a fit failed that nobody stopped")


def _quietly(arguments: dict[str, Any]) -> None:
    sys.stdout = open(os.devnull, "w")
    torch.set_num_threads(1)
    fit(
        detector="ganomaly",
        assignments=list(SETTINGS),
        false_alarm_rate=0.1,
        device="cpu",
        resume=True,
        **arguments,
    )


def _halves(place: Path) -> set[Path]:
    return set(place.glob(".model.*.part"))


def _version(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


if __name__ == "__main__":
    main()
