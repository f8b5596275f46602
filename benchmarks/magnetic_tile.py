"""Magnetic tiles: real defects of five kinds; no tile is on both sides of the split.

    python benchmarks/magnetic_tile.py

Every detector with its parts settings, the baselines, and what the default learns in 10 minutes.
"""

from study import BASELINES, DATA, FAST, ROOT, contenders, run, with_settings

from anomgan.evaluation.sets import DataSet

TILES = DATA / "magnetic_tile"
TEST = DataSet("folder", TILES, "split by folder", groups=TILES / "tiles.csv")
DEFAULT = ROOT / "configs" / "restoration_parts.toml"

if __name__ == "__main__":
    run(
        __doc__,
        "magnetic_tile",
        (
            TEST,
            with_settings("parts", ["restoration", *FAST, "anogan"])
            + contenders(BASELINES, [], [], {})
            + contenders([], [DEFAULT], ["training.minutes=10"], {}),
        ),
    )
