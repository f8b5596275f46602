"""The images of magnetic tiles for the studies of translation, by lighting and by tile."""

from collections import defaultdict
from pathlib import Path

from study import DATA

from anomgan.data.folders import read_rows

TILES = DATA / "magnetic_tile"
TABLE = TILES / "tiles.csv"
LIGHTINGS = ("1", "2", "3", "4", "5", "6")


def by_lighting(part: str) -> dict[str, list[Path]]:
    """List the good tiles of "train" or "test", by lighting."""
    found: dict[str, list[Path]] = {lighting: [] for lighting in LIGHTINGS}
    for row in _rows():
        if row["file"].startswith(f"{part}/good/"):
            found[row["lighting"]].append(TILES / row["file"])
    return found


def by_tile(conditions: tuple[str, ...]) -> list[dict[str, Path]]:
    """List the test tiles of some conditions, with the images of each tile by lighting.

    Tiles with two images under one lighting are left out.
    """
    photographs: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in _rows():
        if row["condition"] in conditions and row["file"].startswith("test/"):
            photographs[row["condition"], row["tile"]].append(row)
    tiles = []
    for rows in photographs.values():
        tile = {row["lighting"]: TILES / row["file"] for row in rows}
        if len(tile) == len(rows) > 1:
            tiles.append({name: path for name, path in tile.items() if name in LIGHTINGS})
    return tiles


def mask_of(photograph: Path) -> Path:
    """The file with the mask of an image of a defective tile."""
    return TILES / "ground_truth" / photograph.parent.name / f"{photograph.stem}_mask.png"


def _rows() -> list[dict[str, str]]:
    return [row for _, row in read_rows(TABLE)[1]]
