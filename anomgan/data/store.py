"""Decoded images within a fixed amount of memory."""

import os
import tempfile
from pathlib import Path
from threading import Lock
from typing import IO, Self

import numpy as np

from anomgan.errors import InputError


class ImageStore:
    """uint8 images of any sizes, in memory or, beyond `memory_limit`, in an unnamed file.

    A memory map would count as resident memory as it is read. The file has no name on disk, so
    nothing is left behind however the process ends. Images may be read from several threads.

    Args:
        memory_limit: bytes of pixels up to which no file is used.
        folder: where the file is made; None for the system's temporary folder.
    """

    def __init__(self, *, memory_limit: int = 512 * 2**20, folder: Path | None = None) -> None:
        self.memory_limit = memory_limit
        self.folder = folder
        self._images: list[np.ndarray] = []
        self._shapes: list[tuple[int, int, int]] = []
        self._offsets: list[int] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._lock = Lock()  # of the position in the file

    def __len__(self) -> int:
        return len(self._shapes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, image: np.ndarray) -> int:
        """Add a uint8 image [H, W, C]; returns its index.

        Raises:
            InputError: the disk is full or the folder cannot be written to.
        """
        image = np.ascontiguousarray(image)
        self._shapes.append(image.shape)
        self._offsets.append(self._bytes)
        self._bytes += image.nbytes
        try:
            if self._file is None and self._bytes > self.memory_limit:
                self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)
                for kept in self._images:
                    _write(self._file, kept)
                self._images.clear()
            if self._file is None:
                self._images.append(image)
            else:
                with self._lock:
                    self._file.seek(0, os.SEEK_END)
                    _write(self._file, image)
        except OSError as error:
            where = self.folder or tempfile.gettempdir()
            raise InputError(
                f"cannot keep {self._bytes:,} bytes of decoded images in {where}: {error.strerror}"
            ) from error
        return len(self._shapes) - 1

    def shape(self, index: int) -> tuple[int, int, int]:
        """Height, width and channels of an image."""
        return self._shapes[index]

    def __getitem__(self, index: int) -> np.ndarray:
        """A whole image [H, W, C]; do not write to it."""
        if self._file is None:
            return self._images[index]
        return self._read(index, 0, self._shapes[index][0])

    def crop(self, index: int, top: int, left: int, height: int, width: int) -> np.ndarray:
        """A copy of a part of an image, [height, width, C]; only its rows are read."""
        if self._file is None:
            rows = self._images[index][top : top + height]
        else:
            rows = self._read(index, top, height)
        return rows[:, left : left + width].copy()

    def close(self) -> None:
        """Free all images."""
        self._images.clear()
        if self._file is not None:
            self._file.close()

    def _read(self, index: int, top: int, height: int) -> np.ndarray:
        _, width, channels = self._shapes[index]
        row = width * channels
        assert self._file is not None
        with self._lock:
            self._file.seek(self._offsets[index] + top * row)
            data = self._file.read(height * row)
        return np.frombuffer(data, np.uint8).reshape(height, width, channels)


def _write(file: IO[bytes], image: np.ndarray) -> None:
    left = image.data.cast("B")
    while left:
        left = left[file.write(left) :]
