"""Peak memory of `anomgan score --dir` with few and with many images, and of going on with a table.

    OMP_NUM_THREADS=1 python benchmarks/line/memory.py

Fits a tiny model to scikit-learn's digits at 32 px, scores folders of hard links to 1,000 of them,
and starts each job once more with --resume, which has to read the whole table. Needs Linux. Leaves
benchmarks/results/line_memory.jsonl.
"""

import argparse
import json
import tempfile
from pathlib import Path

from small_line import ANOMGAN, fit_digits, link_digits, measure, write_digits, write_records


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
            first, again = measure(command), measure(command)
            rows = [json.loads(line)["image"] for line in table.read_text().splitlines()]
            measured.append(
                {
                    "images": images,
                    "rows": len(rows),
                    "distinct_rows": len(set(rows)),
                    "table_megabytes": round(table.stat().st_size / 1e6, 1),
                    **first,
                    **{f"{name}_resumed": value for name, value in again.items()},
                }
            )
            print(json.dumps(measured[-1]), flush=True)
    write_records("line_memory", measured)


if __name__ == "__main__":
    main()
