"""Pictures that anomgan wrote about images, which must not be learnt from: heatmaps, samples."""

from pathlib import Path

MARK = {"Software": "anomgan"}
"""Metadata of every such picture, which is a PNG."""
HEAD = 4096
"""The mark is searched in so many bytes at the start of a file."""


def is_own_picture(path: Path) -> bool:
    """Whether a file has the mark; False if it cannot be read."""
    if path.suffix.lower() != ".png" or not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return b"tEXtSoftware\0anomgan" in file.read(HEAD)
    except OSError:
        return False
