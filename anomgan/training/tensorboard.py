"""Writes losses, learning rates and pictures of a training for TensorBoard."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from anomgan.data.decode import read_image, with_channels
from anomgan.errors import InputError, SettingsError
from anomgan.machine.distributed import rank
from anomgan.training.trainer import LOG

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog(logging.Handler):
    """Takes the figures that the trainer logs, and pictures."""

    def __init__(self, writer: "SummaryWriter") -> None:
        super().__init__()
        self._writer = writer
        self._snapshots: Path | None = None
        self._shown: set[Path] = set()

    def follow(self, snapshots: Path) -> None:
        """Show the pictures that come into a folder, each named by its step, with the figures."""
        self._snapshots = snapshots

    def emit(self, record: logging.LogRecord) -> None:
        """Write figures of the trainer, such as training/ganomaly/residual."""
        row = vars(record)
        for name, value in row["figures"].items():
            self._writer.add_scalar(f"{row['title']}/{name}", value, row["step"])
        self.show_new()

    def show_new(self) -> None:
        """Show the pictures that have come since the last time."""
        found = sorted(self._snapshots.glob("[0-9]*.png")) if self._snapshots else []
        for path in found:
            if path not in self._shown:
                self._shown.add(path)
                self.show("samples", path, int(path.stem))

    def show(self, name: str, picture: Path, step: int = 0) -> None:
        """Show a picture."""
        pixels = with_channels(read_image(picture), 3)
        self._writer.add_image(name, pixels, step, dataformats="HWC")


@contextmanager
def tensorboard_log(folder: Path | None) -> Iterator[TensorBoardLog | None]:
    """Log the trainings of the body to a folder, from the first process of several.

    Args:
        folder: to look at with `tensorboard --logdir`; None for no log.

    Raises:
        SettingsError: TensorBoard is not installed.
        InputError: the folder cannot be written.
    """
    if folder is None or rank() > 0:
        yield None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise SettingsError(
            '--log-dir needs the package tensorboard: pip install "anomgan[tensorboard]"'
        ) from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writer = SummaryWriter(str(folder))
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}") from error
    log, level = TensorBoardLog(writer), LOG.level
    LOG.addHandler(log)
    LOG.setLevel(logging.INFO)
    try:
        with writer:
            yield log
    finally:
        LOG.removeHandler(log)
        LOG.setLevel(level)
