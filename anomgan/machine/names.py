"""File names of any kind: in one line of text, in a cell of a spreadsheet, and cut to length.

A file may be called by any bytes but / and NUL: line ends, control codes of terminals, bytes that
are no text.
"""

import hashlib
import os
import re

LONGEST = 255
"""Bytes that a file name may have on all common file systems."""
ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})")
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029"  # line ends and control codes
    "\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of text
    "\ud800-\udfff]"  # bytes that are no text
    r"|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4})"  # what would be taken for an escape
)
FORMULA = re.compile(r"((?:^|;)\s*)([=+\-@\uff0b\uff0d\uff1d\uff20])")
"""What spreadsheets compute, at the start of a cell; in some countries ; ends one."""


def escaped(text: str) -> str:
    r"""Text in one line without control codes, such as `a\x0ab.png`; `unescaped` undoes it."""
    return UNSAFE.sub(lambda match: _escape(match[0]), text)


def escaped_cell(text: str) -> str:
    r"""Likewise, and no formula in a spreadsheet: `=1.png` is `\x3d1.png`."""
    return FORMULA.sub(lambda match: match[1] + _escape(match[2]), escaped(text))


def unescaped(text: str) -> str:
    """The text before `escaped` or `escaped_cell`."""
    return ESCAPE.sub(lambda match: chr(int(match[1] or match[2], 16)), text)


def shortened(name: str, room: int = LONGEST) -> str:
    """The name, or its beginning and a hash of all of it where it has more than `room` bytes."""
    data = os.fsencode(name)
    if len(data) <= room:
        return name
    end = "~" + hashlib.sha256(data).hexdigest()[:12]
    return data[: room - len(end)].decode(errors="ignore") + end


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
