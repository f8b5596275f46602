"""Magnetic tiles: real defects of five kinds; no tile is on both sides of the split.

    python benchmarks/magnetic_tile.py

Measures every detector with its parts settings, and the baselines.
"""

from study import BASELINES, DATA, FAST, contenders, run, with_settings

from anomgan.evaluation.sets import DataSet

TILES = DATA / "magnetic_tile"

if __name__ == "__main__":
    run(
        __doc__,
        "magnetic_tile",
        (
            DataSet("folder", TILES, "split by folder", groups=TILES / "tiles.csv"),
            with_settings("parts", [*FAST, "anogan"]) + contenders(BASELINES, [], [], {}),
        ),
    )
