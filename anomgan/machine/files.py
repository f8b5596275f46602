"""Writes and moves files so that a crash never leaves a half-written one."""

import filecmp
import glob
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import IO

from anomgan.errors import InputError
from anomgan.machine.names import LONGEST, shortened

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

ABANDONED = 3600.0
"""Seconds after which a half-written folder is taken to be from a killed process."""
BETWEEN = 0.5
"""Seconds that a process may need between the two moves of a replacement."""
FAR = 2**31 - 2
"""A place beyond the end of every file that is locked, in bytes."""
MARKS = 32
"""Bytes that the marks of half-written files add to a name, at most."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits; OSError if it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def state_of(path: Path) -> tuple[int, ...] | None:
    """What tells a file or a folder from one that took its place; None if there is none."""
    try:
        return _state(path)
    except OSError:
        return None


def _state(path: Path) -> tuple[int, ...]:
    about = path.stat()
    return about.st_ino, about.st_size, about.st_mtime_ns


def make_folder(folder: Path) -> None:
    """Make a folder that results are written to later, so that a wrong one is reported at once.

    Raises:
        InputError: it cannot be made, or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error


def lock_file(file: IO[bytes]) -> bool:
    """Lock an open file against other processes until it is closed; a kill ends the lock, too.

    Returns:
        False if another process has locked it. True also where there are no locks, as on some
        network shares.
    """
    try:
        if sys.platform == "win32":
            file.seek(FAR)  # others cannot read what is locked
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass
    return True


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; the file written there becomes `path` at the end.

    If the body fails, or the process dies, `path` keeps its earlier content. The temporary name
    keeps the suffix of `path`, because image writers choose the format by suffix.

    Raises:
        InputError: the folder of `path` cannot be written to, or the disk is full.
    """
    stem = shortened(path.stem, LONGEST - MARKS - len(os.fsencode(path.suffix)))
    temporary = path.with_name(f".{stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; it replaces `folder` at the end.

    An existing `folder` is moved aside first and deleted last, so that one complete folder exists
    at every moment. If the process dies between the two moves, `restore_interrupted` puts the
    earlier folder back. A symbolic link is kept, and its target is replaced.

    Raises:
        InputError: the parent folder cannot be written to, or the disk is full. The old folder
            stays as it was.
    """
    try:
        folder = _real(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        restore_interrupted(folder)
        _remove_abandoned(folder)
        temporary = Path(mkdtemp(dir=folder.parent, prefix=f"{_hidden(folder)}.", suffix=".part"))
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        yield temporary
        temporary.chmod(0o755)
        if folder.exists():
            folder.rename(_aside(folder))
        temporary.rename(folder)
        shutil.rmtree(_aside(folder), ignore_errors=True)
    except OSError as error:
        restore_interrupted(folder)
        raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def restore_interrupted(folder: Path) -> None:
    """Put back the earlier `folder` if a replacement was interrupted between its two moves."""
    folder = _real(folder)
    aside = _aside(folder)
    if not aside.exists():
        return
    if not folder.exists():  # another process may be at it right now
        time.sleep(BETWEEN)
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        return
    try:
        aside.rename(folder)
    except OSError:
        if not folder.exists():  # else another process was faster
            raise


def _remove_abandoned(folder: Path) -> None:
    for half in folder.parent.glob(f"{glob.escape(_hidden(folder))}.*.part"):
        if time.time() - half.stat().st_mtime > ABANDONED:
            shutil.rmtree(half, ignore_errors=True)


def move_into(folder: Path, source: Path) -> Path:
    """Move a file into `folder`; if its name is taken, it gets a number: `part-2.png`.

    Nothing is ever overwritten, and a complete file exists at every moment. If a move was
    interrupted before it removed `source`, calling this again finishes it. If somebody replaces
    `source` in the meantime, the new file stays there.

    Returns:
        The new path.

    Raises:
        InputError: the folder cannot be written to, the disk is full, or `source` has to stay.
    """
    try:
        before = _state(source)
        folder.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            end = f"-{number}{source.suffix}"
            stem = shortened(source.stem, LONGEST - len(os.fsencode(end)))
            name = source.name if number == 1 else stem + end
            target = folder / name
            if not os.path.lexists(target):
                _appear(source, target)
                break
            if _is_copy(source, target):
                break
        if _state(source) == before:
            source.unlink()
    except OSError as error:
        raise InputError(f"cannot move {source} to {folder}: {error.strerror or error}") from error
    return target


def _appear(source: Path, target: Path) -> None:
    """Hard-link `target` to `source`, or copy the file if that is impossible."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        with atomic_path(target) as copy:
            shutil.copy2(source, copy)
            with copy.open("rb+") as file:
                os.fsync(file.fileno())
            target.touch(exist_ok=False)
        if os.name == "posix":  # a power cut must not lose the copy after `source` is deleted
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _is_copy(source: Path, target: Path) -> bool:
    if not target.is_file() or source.stat().st_mtime_ns != target.stat().st_mtime_ns:
        return False
    return filecmp.cmp(source, target, shallow=False)


def _real(folder: Path) -> Path:
    """Resolve a symbolic link, even if its target does not exist at the moment."""
    return Path(os.path.realpath(folder))


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{_hidden(folder)}.previous")


def _hidden(folder: Path) -> str:
    return "." + shortened(folder.name, LONGEST - MARKS)
