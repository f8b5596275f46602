"""The default detector with the settings of photographs, untouched, where it was never looked at.

    python benchmarks/untouched.py

Rendered parts as those of `anomgan demo`, and one digit of MNIST among the others, on the first 100
test images of each.
"""

import argparse

from generator_study import MODELS
from study import DATA, RESULTS, with_settings

from anomgan.data.flange import write_line
from anomgan.evaluation.benchmark import plan, run_benchmark
from anomgan.evaluation.sets import DataSet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--digits", nargs="+", default=["3"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    rendered = MODELS / "rendered"
    if not rendered.exists():
        write_line(rendered, 150, 40, 15)
    chosen = with_settings("parts", ["restoration"])
    parts = DataSet("folder", rendered, "rendered")
    digits = DataSet("mnist", DATA / "mnist", "one-class", limit=100)
    cells = plan("untouched", parts, chosen, options.seeds)
    cells += plan("untouched", digits, chosen, options.seeds, options.digits)
    run_benchmark(
        cells, RESULTS / "untouched.jsonl", workers=options.workers, device=options.device
    )


if __name__ == "__main__":
    main()
