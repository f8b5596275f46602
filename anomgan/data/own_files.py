"""Files that anomgan wrote: some are left out when images are read, and only they are overwritten.

Every such file says so in its first bytes; arrays, which have no room for words, are known by their
header or by what they hold. `refuse_to_overwrite` protects the photographs and tables of the user:
whatever writes to a path that a user gives asks it first.
"""

from collections.abc import Callable
from pathlib import Path

from anomgan.errors import InputError

MARK = {"Software": "anomgan"}
"""Metadata of PNG files that are about images, such as heatmaps: nothing should be learnt from
them."""
PICTURE = b"tEXtSoftware\0anomgan"
GENERATED = b"tEXtSource\0anomgan"
"""Mark of PNG files that are images themselves: samples, translations, rendered parts."""
HTML = '<meta name="generator" content="anomgan">'
JSON = {"written_by": "anomgan"}
"""The first entry of an object."""
MARKDOWN = "<!-- written by anomgan -->"
SCORES = ("image", "kind", "score", "p_value", "verdict")
"""Columns of a table of scores, which has no room for another mark."""
TEXTS = tuple(
    mark.encode() for mark in (HTML, '"written_by": "anomgan"', MARKDOWN, ",".join(SCORES))
)
HEATMAP = b"\x93NUMPY\x01\x00\xf6\x00{'descr': '<f4', "
"""Start of a heatmap as .npy, an array float32 [H, W]. Its mark is the length of its header, 246
bytes with many spaces: that of a user's own array has 118."""
CELL = b"labels.npy"
"""Name of the first array in the scores of a benchmark's cell."""
HEAD = 4096
"""The marks are searched in so many bytes at the start of a file."""


def is_own_picture(path: Path) -> bool:
    """Whether a file is a picture about images; False if it cannot be read."""
    return path.suffix.lower() == ".png" and PICTURE in _head(path)


def is_generated(path: Path) -> bool:
    """Whether a file is an image that anomgan made; False if it cannot be read."""
    return GENERATED in _head(path)


def is_own_file(path: Path) -> bool:
    """Whether anomgan wrote a file; False if it cannot be read."""
    head = _head(path)
    return any(mark in head for mark in (PICTURE, GENERATED, *TEXTS))


def is_heatmap(path: Path) -> bool:
    """Whether a file is a heatmap as .npy; False if it cannot be read."""
    return _head(path).startswith(HEATMAP)


def is_cell(path: Path) -> bool:
    """Whether a file has the scores of a benchmark's cell; False if it cannot be read."""
    return CELL in _head(path)


def refuse_to_overwrite(*paths: Path, is_own: Callable[[Path], bool] = is_own_file) -> None:
    """Refuse to replace files that anomgan did not write; an empty one may be replaced.

    Args:
        *paths: files to write.
        is_own: whether a file that is there may be replaced.

    Raises:
        InputError: names the first file that anomgan did not write, or that cannot be read.
    """
    for path in paths:
        try:
            is_foreign = path.is_file() and path.stat().st_size and not is_own(path)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        if is_foreign:
            raise InputError(
                f"{path} exists, and anomgan did not write it; move it away, or choose another name"
            )


def refuse_inside(target: Path, folder: Path) -> None:
    """Refuse to write into a folder whose images are read: the results would be read as well.

    Raises:
        InputError: `target` is `folder` or lies in it.
    """
    if target.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{target} lies in {folder}, whose images are read; choose a folder outside"
        )


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():  # a pipe may have no end
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""
