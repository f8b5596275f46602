"""Peak memory of `anomgan score --dir` with few and with many images, and of going on with a table.

    OMP_NUM_THREADS=1 python benchmarks/line/memory.py

Fits a tiny model to scikit-learn's digits at 32 px, scores folders of hard links to 1,000 of them,
and starts each job once more with --resume, which has to read the whole table. Needs Linux. Leaves
benchmarks/results/line_memory.jsonl.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from small_line import ANOMGAN, RESULTS, fit_digits, link_digits, write_digits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", nargs="+", type=int, default=[1_000, 100_000])
    options = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_digits(place / "digits")
        fit_digits(place / "digits", place / "model")
        for images in options.images:
            folder, table = place / f"{images}", place / f"{images}.jsonl"
            link_digits(place / "digits", folder, images)
            command = [*ANOMGAN, "score", "--device", "cpu", "--model", place / "model"]
            command += ["--dir", folder, "--out", table, "--resume"]
            first, again = _measure(command), _measure(command)
            rows = [json.loads(line)["image"] for line in table.read_text().splitlines()]
            measured.append(
                {
                    "study": "line_memory",
                    "images": images,
                    "rows": len(rows),
                    "distinct_rows": len(set(rows)),
                    "table_megabytes": round(table.stat().st_size / 1e6, 1),
                    **first,
                    **{f"{name}_resumed": value for name, value in again.items()},
                }
            )
            print(json.dumps(measured[-1]), flush=True)
    _record(measured)


def _measure(command: list[str | Path]) -> dict[str, float]:
    """Time and peak resident memory of a command."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    seconds = time.perf_counter() - began
    return {"seconds": round(seconds, 1), "peak_megabytes": round(usage.ru_maxrss / 1024, 1)}


def _record(measured: list[dict[str, float]]) -> None:
    import torch  # not before all is measured, see small_line

    from anomgan.benchmark.records import environment

    about = environment(torch.device("cpu"))
    lines = [json.dumps(record | about) + "\n" for record in measured]
    (RESULTS / "line_memory.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main()
