"""Magnetic tiles: real defects of five kinds; no tile is on both sides of the split.

    python benchmarks/magnetic_tile.py

Measures every detector with its parts settings, and the baselines.
"""

from study import run, with_parts_settings
from tiles import TABLE, TILES

from anomgan.evaluation.sets import DataSet

if __name__ == "__main__":
    run(
        __doc__,
        "magnetic_tile",
        (
            DataSet("folder", TILES, "split by folder", groups=TABLE),
            with_parts_settings(),
        ),
    )
