"""What a fit leaves on a disk that is full, or that can only be read.

    OMP_NUM_THREADS=1 python benchmarks/line/full_disks.py

Mounts disks of memory of several sizes, each with an earlier model, fits to it, makes the disk
large enough, and goes on with --resume. Needs Linux and the right to mount (root). Appends to
benchmarks/results/line_faults.jsonl.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from small_line import FIT, fit_digits, mount, write_digits
from trials import FORK, record_fault, scores_of

from anomgan.cli.app import main as run_anomgan

SIZES = range(0, 1200, 100)
"""Kilobytes that are free beside the earlier model: too few for a checkpoint, or for a model."""


def main() -> None:
    full: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        disk, model, digits = place / "disk", place / "disk" / "model", place / "digits"
        disk.mkdir()
        write_digits(digits, 200)
        fit_digits(digits, place / "earlier")
        expected = scores_of(digits, place / "earlier")
        for free in SIZES:
            mount(disk, "size=64m")
            try:
                subprocess.run(["cp", "-r", place / "earlier", model], check=True)
                before = _contents(model)
                used = int(subprocess.check_output(["du", "-sk", disk]).split()[0])
                mount(disk, f"remount,size={used + free}k")
                full[_fit(place, model)] += 1
                kept = _contents(model) == before or scores_of(digits, model) == expected
                full["model whole" if kept else "MODEL BROKEN"] += 1
                mount(disk, "remount,size=64m")
                again = _fit(place, model) == "written" and scores_of(digits, model) == expected
                full["resumed to the same model" if again else "NOT RESUMED"] += 1
            finally:
                _unmount(disk)
        mount(disk, "size=64m")
        try:
            subprocess.run(["cp", "-r", place / "earlier", model], check=True)
            before = _contents(model)
            mount(disk, "remount,ro")
            read_only = _fit(place, model)
            read_only += ", model whole" if _contents(model) == before else ", MODEL BROKEN"
            read_only += ", scores as before" if scores_of(digits, model) == expected else ""
        finally:
            _unmount(disk)
    outcome = ", ".join(f"{count} {name}" for name, count in full.items())
    record_fault("fit to a full disk", len(SIZES), outcome, **full)
    record_fault("fit to a disk that can only be read", 1, read_only)


def _fit(place: Path, model: Path) -> str:
    command = ["fit", "--normal-dir", place / "digits", "--out", model, *FIT, "--resume"]
    said = place / "said"
    process = FORK.Process(target=_run, args=([*map(str, command)], said))
    process.start()
    process.join()
    if process.exitcode == 0:
        return "written"
    print(said.read_text().strip(), flush=True)
    explained = process.exitcode == 2 and said.read_text().startswith("anomgan: cannot write")
    return "refused with a message" if explained else "FAILED OTHERWISE"


def _run(command: list[str], said: Path) -> None:
    with said.open("w") as file:
        sys.argv, sys.stdout, sys.stderr = ["anomgan", *command], open(os.devnull, "w"), file
        run_anomgan()


def _contents(model: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in model.iterdir()}


def _unmount(disk: Path) -> None:
    subprocess.run(["umount", disk], check=True)


if __name__ == "__main__":
    main()
