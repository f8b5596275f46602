"""Writes the tables of README.md from the records in benchmarks/results/, between their markers.

    python benchmarks/tables.py
"""

import json

from study import RESULTS, ROOT

from anomgan.benchmark.tables import fill_tables, markdown, study_table

README = ROOT / "README.md"


def main() -> None:
    README.write_text(fill_tables(README.read_text(encoding="utf-8"), table), encoding="utf-8")


def table(study: str, figure: str | None) -> str:
    """The table of a study; latency has records of its own kind."""
    results = RESULTS / f"{study}.jsonl"
    if study != "latency":
        return study_table(results, figure)
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    rows = [
        [
            line["detector"],
            f"{line['ms_per_image_one_by_one']:.2f}",
            f"{line['ms_per_image_together']:.2f}",
        ]
        for line in lines
    ]
    return markdown(["detector", "one at a time", "64 together"], rows)


if __name__ == "__main__":
    main()
