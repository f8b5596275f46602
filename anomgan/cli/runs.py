"""Shared by all commands that train: reading settings and images, and the work folder."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from anomgan.config_files import parse_assignments, read_toml
from anomgan.config_values import merge
from anomgan.data.folders import list_images
from anomgan.data.labels import LabelledImages, from_domains, read_labelled
from anomgan.errors import InputError, Interrupted, SettingsError
from anomgan.machine.distributed import rank
from anomgan.machine.files import lock_file, make_folder
from anomgan.model_files import check_target

LOCK = "anomgan.lock"
"""File in a work folder; locked while somebody trains there."""


def gather_settings(
    config: Path | None, assignments: Sequence[str], options: Mapping[str, Any]
) -> dict[str, Any]:
    """Merge settings from a file, `--set` assignments and options; later ones win.

    Args:
        config: TOML file.
        assignments: "section.key=value".
        options: values by "section.key"; None if not given.

    Raises:
        SettingsError: the file cannot be read, or an assignment is malformed.
    """
    given: dict[str, Any] = {}
    for key, value in options.items():
        if value is not None:
            for name in reversed(key.split(".")):
                value = {name: value}
            given = merge(given, value)
    return merge(read_toml(config) if config else {}, parse_assignments(assignments), given)


def take_method(
    values: dict[str, Any],
    kind: str,
    name: str | None,
    known: Sequence[str],
    default: str | None = None,
) -> str:
    """Remove the method from the settings, and choose between it, `name` and the default.

    Args:
        values: settings; their key `kind` is removed.
        kind: "detector" or "generator".
        name: of the method; None for that of the settings, or the default.
        known: names of all methods.
        default: None if there is none.

    Raises:
        SettingsError: the method is unknown or missing, or the settings are for another.
    """
    named = values.pop(kind, None)
    if name and named and name != named:
        raise SettingsError(f"{kind} {name}, but the settings are for {named}; use one of both")
    chosen = name or named or default
    if chosen is None:
        raise SettingsError(f"say which {kind}: {', '.join(known)}")
    if chosen not in known:
        raise SettingsError(f"unknown {kind} {chosen}; choose {', '.join(known)}")
    return chosen


def read_folders(
    folders: Sequence[Path], domains: Sequence[str], *, labelled: bool
) -> LabelledImages | list[Path]:
    """List images, or labelled images, of folders or of one folder for each domain.

    Raises:
        InputError: both or neither are given, or a folder cannot be used.
    """
    if domains and not labelled:
        raise InputError("domains are not used here: give --data-dir DIR instead of --domain")
    if bool(folders) == bool(domains):
        or_domains = ", or --domain NAME=DIR for each domain" if labelled else ""
        raise InputError(f"say where the images are: --data-dir DIR{or_domains}")
    if not labelled:
        return [path for folder in folders for path in list_images(folder)]
    return from_domains(_by_name(domains)) if domains else read_labelled(folders)


@contextmanager
def work_folder(out: Path, what: str, resume: bool) -> Iterator[Path | None]:
    """Yield `<out>.training`, which holds checkpoints until the model is saved in `out`.

    A file in it is locked, so that nobody else trains into it, and tells it from a folder of
    the user.

    If several processes train together, only the first one gets the folder; the others get None.

    Args:
        out: model folder.
        what: "fit" or "training", for messages.
        resume: whether checkpoints of an earlier run are allowed.

    Raises:
        InputError: `out` cannot be used, or an earlier run is unfinished, or one is running.
        Interrupted: Ctrl-C was pressed, and there is something to continue.
    """
    if rank() > 0:
        yield None
        return
    check_target(out)
    work = out.with_name(out.name + ".training")
    lock = _lock(work, what)
    try:
        with lock:
            if any(work.glob("*.safetensors")) and not resume:
                raise InputError(
                    f"{work} holds an unfinished {what}; continue it with --resume, or delete "
                    f"that folder to start again"
                )
            yield work
    except BaseException as error:
        if [path.name for path in work.iterdir()] == [LOCK]:
            shutil.rmtree(work, ignore_errors=True)
        elif isinstance(error, KeyboardInterrupt):  # while features were computed
            raise Interrupted("stopped; to continue, run the same command with --resume") from None
        raise
    shutil.rmtree(work, ignore_errors=True)


def _lock(work: Path, what: str) -> IO[bytes]:
    """Make the work folder if there is none, and keep others out of it until the file is closed."""
    make_folder(work)
    try:
        if any(work.iterdir()) and not (work / LOCK).exists():
            raise InputError(
                f"{work} would hold the {what} until the model is saved, and holds other files; "
                f"move it away, or choose another --out"
            )
        file = (work / LOCK).open("ab")
    except OSError as error:
        raise InputError(f"cannot use {work}: {error.strerror}") from error
    if not lock_file(file):
        file.close()
        raise InputError(
            f"another {what} into this folder is running ({work}); wait for it, or choose another "
            f"--out"
        )
    return file


def _by_name(domains: Sequence[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for text in domains:
        name, equals, folder = text.partition("=")
        if not (name and equals and folder):
            raise InputError(f"--domain {text}: write it as NAME=DIR")
        if name in found:
            raise InputError(f"--domain {name} is given twice; put its images into one folder")
        found[name] = Path(folder)
    return found
