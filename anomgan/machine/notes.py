"""Notes: warnings about files that are not errors."""

import logging
import os

LOG = logging.getLogger("anomgan")
_said: set[str] = set()


def note(text: str, once: str | None = None) -> None:
    """Log a warning; without any set-up of logging, Python prints it on standard error.

    Args:
        text: the note. The same text is never said twice by a process.
        once: what kind of note it is, if of several such notes the first one will do.
    """
    key = once or text
    # Of several processes that train together, which all read the same files, one speaks.
    if key not in _said and os.environ.get("RANK", "0") == "0":
        _said.add(key)
        LOG.warning(text)


def counted(count: int, noun: str) -> str:
    """A number with its noun: 1 image, 2 images."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
