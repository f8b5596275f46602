"""The data sets of a benchmark, by name, so that a worker process can read them itself."""

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from anomgan.data.mnist import read_mnist
from anomgan.data.public_sets import (
    PartSet,
    categories,
    read_btad,
    read_digit,
    read_folder,
    read_mvtec,
    read_visa,
)

Layout = Literal["mnist", "mvtec", "visa", "btad", "folder"]
READERS = {"mvtec": read_mvtec, "visa": read_visa, "btad": read_btad}


@dataclass(frozen=True)
class DataSet:
    """Where the images are, and how to use them.

    Attributes:
        layout: how the folder is arranged.
        root: the folder.
        protocol: "one-class" or "leave-one-out" for MNIST; a word about the split otherwise.
        limit: the first so many test images of each kind; None: all.
        groups: table that names the physical part of each image.
    """

    layout: Layout
    root: Path
    protocol: str
    limit: int | None = None
    groups: Path | None = None

    @property
    def name(self) -> str:
        """Name in the records."""
        return self.root.resolve().name if self.layout == "folder" else self.layout

    def categories(self) -> list[str]:
        """All categories.

        Raises:
            InputError: the folder holds none, or is not arranged like this.
        """
        if self.layout == "mnist":
            read_mnist(self.root, train=False)
            return [str(digit) for digit in range(10)]
        if self.layout == "folder":
            read_folder(self.root)
            return [self.name]
        return categories(self.root, self.layout)

    def read(self, category: str) -> PartSet:
        """Read the training and test images of a category.

        Raises:
            InputError: files are missing or damaged.
        """
        if self.layout == "mnist":
            return read_digit(self.root, int(category), self.protocol, self.limit)
        if self.layout == "folder":
            parts = read_folder(self.root)
        else:
            parts = READERS[self.layout](self.root, category)
        if self.limit is None:
            return parts
        by_kind = defaultdict(list)
        for image in parts.test:
            by_kind[image.kind].append(image)
        return replace(parts, test=[i for some in by_kind.values() for i in some[: self.limit]])
