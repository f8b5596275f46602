"""Writes the tables of README.md from the records in benchmarks/results/, between their markers.

    python benchmarks/tables.py
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from study import ROOT, Cell, read

README = ROOT / "README.md"
NAMES = ("restoration", "ganomaly", "egbad", "f-anogan", "anogan")
KINDS = ("blowhole", "break", "crack", "fray", "uneven")
PUBLISHED = {
    "AnoGAN, published": 0.913,
    "Deep SVDD, published": 0.948,
    "VAE, published": 0.969,
    "OCGAN, published": 0.975,
}
"""Mean AUROC over digits, one digit normal, as reported by Perera et al. (OCGAN, CVPR 2019)."""


def main() -> None:
    text = README.read_text(encoding="utf-8")
    for name, build in TABLES.items():
        pattern = rf"(<!-- {name} -->\n).*?(\n<!-- end -->)"
        text = re.sub(pattern, lambda m, b=build: m[1] + b() + m[2], text, flags=re.DOTALL)
    README.write_text(text, encoding="utf-8")


def mnist_one_class() -> str:
    """AUROC per digit and their mean."""
    rows = []
    for detector, cells in _by_detector("mnist_one_class").items():
        values = [_value(cells, str(digit), "image_auroc") for digit in range(10)]
        rows.append([detector, *map(_three, values), _bold(_mean(values))])
    rows += [[name, *[""] * 10, _three(value)] for name, value in PUBLISHED.items()]
    return _table(["detector", *map(str, range(10)), "mean"], rows)


def mnist_leave_one_out() -> str:
    """Area under the precision-recall curve and AUROC per anomalous digit."""
    found = _by_detector("mnist_leave_one_out")
    digits = sorted({cell["category"] for cells in found.values() for cell in cells})
    rows = [
        [
            detector,
            *(
                " / ".join(_three(_value(cells, d, name)) for name in ("image_ap", "image_auroc"))
                for d in digits
            ),
        ]
        for detector, cells in found.items()
    ]
    return _table(["detector", *digits], rows)


def magnetic_tile() -> str:
    """AUROC per kind of defect and over all."""
    rows = []
    for detector, cells in _by_detector("magnetic_tile").items():
        kinds = [_mean([cell["per_defect"][kind] for cell in cells]) for kind in KINDS]
        total = _mean([cell["image_auroc"] for cell in cells])
        minutes = _mean([cell["fit_seconds"] for cell in cells]) / 60
        cost = _mean([cell["score_ms_per_image"] for cell in cells])
        rows.append(
            [detector, *map(_three, kinds), _bold(total), f"{minutes:.1f}", f"{cost:.0f}"]
        )
    return _table(["detector", *KINDS, "all", "fit, min", "score, ms"], rows)


def latency() -> str:
    """Milliseconds per image."""
    rows = [
        [
            line["detector"],
            f"{line['ms_per_image_one_by_one']:.2f}",
            f"{line['ms_per_image_together']:.2f}",
        ]
        for line in read("latency")
    ]
    return _table(["detector", "one at a time", "64 together"], rows)


def _by_detector(study: str) -> dict[str, list[Cell]]:
    cells = read(study)
    return {name: some for name in NAMES if (some := [c for c in cells if c["detector"] == name])}


def _value(cells: Sequence[Cell], category: str, figure: str) -> float | None:
    return _mean([cell[figure] for cell in cells if cell["category"] == category])


def _mean(values: Sequence[float | None]) -> float | None:
    return None if not values or None in values else float(np.mean(values))


def _three(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _bold(value: float | None) -> str:
    return "" if value is None else f"**{_three(value)}**"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


BUILDERS = (mnist_one_class, mnist_leave_one_out, magnetic_tile, latency)
TABLES: dict[str, Callable[[], str]] = {table.__name__: table for table in BUILDERS}

if __name__ == "__main__":
    main()
