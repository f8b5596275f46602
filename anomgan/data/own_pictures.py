"""Pictures that anomgan wrote about images, which must not be learnt from: heatmaps, samples."""

from pathlib import Path

MARK = {"Software": "anomgan"}
"""Metadata of every such picture, a PNG."""
HEAD = 4096
"""Bytes at the beginning of a file in which the mark is looked for."""


def is_own_picture(path: Path) -> bool:
    """Whether a file has the mark; one that cannot be read has not."""
    if path.suffix.lower() != ".png" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return b"tEXtSoftware\0anomgan" in file.read(HEAD)
    except OSError:
        return False
