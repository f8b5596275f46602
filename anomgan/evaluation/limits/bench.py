"""Good images to draw defects on: the model has not learnt from them, and calls them ok."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.data.copies import digest
from anomgan.data.decode import read_image, to_uint8
from anomgan.detectors.base import Detector
from anomgan.detectors.calibration import Calibration
from anomgan.detectors.result import Result
from anomgan.errors import InputError
from anomgan.evaluation.limits.defects import KINDS, Defect, draw
from anomgan.evaluation.limits.frame import Frame
from anomgan.evaluation.limits.part import Parts
from anomgan.machine.progress import progress_bar

SMALLEST = 2.0
"""Pixels of the smallest defect, as the networks see them."""
LARGEST = 0.3
"""Size of the largest defect, as a share of the part's longer side."""
IMAGES = 200
"""Good images to draw on, at most."""
FEWEST = 2
"""Good images to draw on, at least: from one alone nobody can tell what all have in common."""
SEEN_FOR_PART = 20
"""Images that show whether the part has a plain background."""
NEAR_CELLS = 2.0
"""How far from the defect the heatmap may be hottest, in cells of the detector."""
NEAR_SHARE = 0.02
"""The same for detectors without cells, as a share of the image's longer side."""
TRIES = 20
"""Places that are tried until something can be seen of a defect."""


@dataclass(eq=False)
class Bench:
    """Good images that defects are drawn on.

    Attributes:
        detector: the fitted detector.
        paths: images that it has not learnt from and calls ok.
        parts: finds the part in them.
        sizes: smallest and largest defect in pixels.
        learnt: number of images that were left out because the detector learnt from them.
        alarming: number that were left out because they raise an alarm as they are.
        unreadable: messages of files that cannot be read.
        digests: of the pixels of `paths`.
    """

    detector: Detector
    paths: list[Path]
    parts: Parts
    sizes: tuple[float, float] = (0.0, 0.0)
    learnt: int = 0
    alarming: int = 0
    unreadable: list[str] = field(default_factory=list)
    digests: bytes = b""

    @classmethod
    def prepare(
        cls, detector: Detector, paths: Sequence[Path], folder: Path, masks: Path | None
    ) -> "Bench":
        """Choose images to draw on.

        Raises:
            InputError: too few can be used, or the part is missing or tiny in one of them.
        """
        fresh, digests, learnt, unreadable = _not_learnt(detector, paths)
        if len(fresh) < FEWEST:
            raise InputError(*_why_too_few(len(paths), len(fresh), learnt, unreadable))
        some = (to_uint8(read_image(path), detector.bits) for path in fresh[:SEEN_FOR_PART])
        bench = cls(detector, fresh, Parts(fresh, some, masks, folder), learnt=learnt)
        bench.unreadable, bench.digests = unreadable, digests
        bench._leave_out_alarming()
        return bench

    @property
    def calibration(self) -> Calibration:
        """Of the detector."""
        return self.detector.fitted.calibration

    @property
    def knows_learnt(self) -> bool:
        """Whether the detector knows which images it learnt from."""
        return self.detector.fitted.learnt is not None

    def load(self, number: int) -> tuple[np.ndarray, np.ndarray, Frame]:
        """An image uint8 [H, W] or [H, W, 3], its part bool [H, W], and the frame of that."""
        return self._load(self.paths[number])

    @lru_cache(maxsize=3)  # noqa: B019  the next trials are on the same image
    def _load(self, path: Path) -> tuple[np.ndarray, np.ndarray, Frame]:
        image = to_uint8(read_image(path), self.detector.bits)
        part = self.parts.find(path, image)
        if self.detector.roi is not None:
            part = part & self.detector.roi.at(image.shape)
            if not part.any():
                raise InputError(f"nothing of the part in {path} is in the region of interest")
        return image, part, Frame.of(part)

    def draw(self, kind: str, number: int, size: float, contrast: float) -> Defect | None:
        """Draw the defect of a trial; the same one each time."""
        place = self.image_of(kind, number)
        image, part, _ = self.load(place)
        other = self.load((place + 1) % len(self.paths))[:2]
        rng = np.random.default_rng((1, list(KINDS).index(kind), number))
        for _ in range(TRIES):
            defect = draw(image, part, kind, size, contrast, rng, other)
            if defect is not None:
                return defect
        return None

    def image_of(self, kind: str, number: int) -> int:
        """Which image a trial is drawn on; kinds begin at different ones."""
        return (number + 7 * list(KINDS).index(kind)) % len(self.paths)

    def fingerprint(self, per_kind: int) -> str:
        """What results depend on, besides the code."""
        facts: list[Any] = [self.detector.settings.model_dump_json(), self.calibration.as_dict()]
        if self.detector.roi is not None:
            facts.append(self.detector.roi.digest)
        made = hashlib.sha256(json.dumps([*facts, per_kind, self.parts.way, self.sizes]).encode())
        made.update(self.digests)
        return made.hexdigest()

    def near(self, image: np.ndarray, result: Result) -> float:
        """How far from a defect the heatmap may be hottest, in pixels of the image."""
        longest = max(image.shape[:2])
        if result.cell == 1:
            return NEAR_SHARE * longest
        return NEAR_CELLS * result.cell * longest / max(result.prepared.shape[:2])

    def _leave_out_alarming(self) -> None:
        """Keep the images that are called ok; find the range of sizes on the way."""
        ok, scales, lengths = [], [], []
        with progress_bar("good images", len(self.paths)) as report:
            for done, path in enumerate(self.paths, start=1):
                image, _, frame = self._load(path)
                result = self.detector.score(image)
                if not result.is_anomalous:
                    ok.append(path)
                    scales.append(max(image.shape[:2]) / max(result.prepared.shape[:2]))
                    lengths.append(frame.length)
                report(done)
        self.alarming = len(self.paths) - len(ok)
        if len(ok) < FEWEST:
            raise InputError(
                f"{self.alarming} of {len(self.paths)} good images raise an alarm as they are, so "
                f"that a defect on them shows nothing; recalibrate the model, or give images that "
                f"are like those it learnt from"
            )
        smallest = SMALLEST * max(1.0, float(np.median(scales)))
        largest = LARGEST * float(np.median(lengths))
        if largest < 2 * smallest:
            raise InputError(
                f"the part is {np.median(lengths):.0f} pixels long, too small for the smallest "
                f"defect of {smallest:.0f} pixels; take larger images, or check the masks of the "
                f"part"
            )
        self.paths, self.sizes = ok, (smallest, largest)


def _not_learnt(
    detector: Detector, paths: Sequence[Path]
) -> tuple[list[Path], bytes, int, list[str]]:
    """Images that the detector has not learnt from, in a random order, and their digests."""
    fitted = detector.fitted
    known = {row.tobytes() for row in ([] if fitted.learnt is None else fitted.learnt)}
    fresh: dict[bytes, Path] = {}
    learnt, unreadable = 0, []
    with progress_bar("reading", len(paths)) as report:
        for done, path in enumerate(paths, start=1):
            try:
                print_of = digest(read_image(path)).tobytes()
            except InputError as error:
                unreadable.append(str(error))
            else:
                learnt += print_of in known
                if print_of not in known:
                    fresh.setdefault(print_of, path)  # a copy shows nothing new
            report(done)
    names = sorted(fresh)
    chosen = np.random.default_rng(0).permutation(len(names))[:IMAGES]
    digests = b"".join(names[place] for place in chosen)
    return [fresh[names[place]] for place in chosen], digests, learnt, unreadable


def _why_too_few(total: int, fresh: int, learnt: int, unreadable: Sequence[str]) -> list[str]:
    if learnt:
        return [
            f"the model learnt from {learnt} of {total} images, and {fresh} are left; defects on "
            f"images that it learnt from are found too easily: give {FEWEST} others at least, "
            f"better 20, or fit with --set calibration.method=held-out, which keeps some aside"
        ]
    lines = [f"only {fresh} of {total} images can be used; give {FEWEST} different ones at least"]
    return lines + list(unreadable[:5])
