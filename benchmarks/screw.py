"""Screws of MVTec AD at any rotation, whose defects cover 0.3% of the image.

    python benchmarks/screw.py

Measures every detector with its parts settings, and the baselines.
"""

from study import DATA, run, with_parts_settings

from anomgan.evaluation.sets import DataSet

if __name__ == "__main__":
    run(
        __doc__,
        "screw",
        (
            DataSet("folder", DATA / "screw", "split by folder"),
            with_parts_settings(),
        ),
    )
