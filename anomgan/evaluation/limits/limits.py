"""What follows from the trials: which sizes are found, and where on the part hardly anything is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binom

from anomgan.evaluation.limits.defects import AT_OUTLINE, GREY, NATURAL
from anomgan.evaluation.limits.trials import Trial
from anomgan.metrics.pod import STEP, Bound, Limit, Pod

CONTRAST = 0.1
"""Contrast at which sizes are compared, as a share of the grey scale: 26 of 255 grey levels."""
CELLS = 6
"""Places along and across the part of which the map is made."""
BLIND = 3.0
"""Standard deviations by which fewer defects are found at a blind place than elsewhere: by chance
alone, one map in twenty has such a place."""
SHARE = 0.9
WORDS = {
    "scratch": "scratches",
    "crack": "cracks",
    "pit": "pits",
    "stain": "stains",
    "smear": "smears",
    "dent": "dents",
    "missing": "missing pieces",
    "foreign": "pieces of foreign material",
}


@dataclass(frozen=True)
class Spot:
    """Defects at one place of the part.

    Attributes:
        drawn: how many.
        found: how many of them are found.
        expected: how many would be if all places were alike.
        deviation: standard deviation of that.
    """

    drawn: int
    found: int
    expected: float
    deviation: float

    @classmethod
    def of(cls, found: np.ndarray, expected: np.ndarray) -> "Spot":
        """Count results bool [n], with the probability of each to be found."""
        deviation = float(np.sqrt((expected * (1 - expected)).sum()))
        return cls(len(found), int(found.sum()), float(expected.sum()), deviation)

    @property
    def is_blind(self) -> bool:
        """Whether clearly fewer defects are found than elsewhere."""
        return self.found < self.expected - BLIND * max(self.deviation, 0.5)


@dataclass(frozen=True)
class KindLimits:
    """How well one kind of defect is found.

    Attributes:
        kind: its name.
        trials: of it; without the rim if that is blind.
        pod: the curve through them.
        contrast: at which sizes are given; None where contrast can't be chosen.
    """

    kind: str
    trials: list[Trial]
    pod: Pod
    contrast: float | None

    @classmethod
    def of(cls, kind: str, trials: list[Trial]) -> "KindLimits":
        """Fit the curve."""
        sizes, contrasts, found, images = _columns(trials)
        if kind in NATURAL:
            return cls(kind, trials, Pod(sizes, found, None, images), None)
        return cls(kind, trials, Pod(sizes, found, contrasts, images), CONTRAST)

    @property
    def is_flat(self) -> bool:
        """Whether size does not decide what is found, so that there is no limit."""
        return self.pod.why_none not in ("", STEP)

    def limit(self, share: float) -> Limit | None:
        """The size that is found in a share of all cases; None where that does not grow."""
        return None if self.is_flat else self.pod.limit(share, self.contrast)

    def by_contrast(self) -> Pod | None:
        """The curve with the contrast in place of the size; None where contrast is not chosen."""
        if self.contrast is None:
            return None
        sizes, contrasts, found, images = _columns(self.trials)
        return Pod(contrasts, found, sizes, images)

    def share_of_large(self) -> tuple[int, int]:
        """Of defects as large as the sure size, and with the contrast or more: found, and drawn."""
        limit = self.limit(SHARE)
        if limit is None or limit.sure.beyond == "above":
            return 0, 0
        large = [
            one
            for one in self.trials
            if one.size >= limit.sure.value and one.contrast >= (self.contrast or 0)
        ]
        return sum(one.found for one in large), len(large)

    def is_rosy(self) -> bool:
        """Whether the curve promises more of large defects than was found."""
        found, drawn = self.share_of_large()
        return drawn > 0 and bool(binom.cdf(found, drawn, SHARE) < 0.05)

    def sentence(self, where: str, pixels_per_mm: float | None = None) -> str:
        """Say in plain words from which size on these defects are found."""
        name, count = WORDS[self.kind], len(self.trials)
        if self.contrast is not None:
            name += f" with a contrast of {self.contrast * GREY:.0f} grey levels"
        smallest, largest = (length(end(self.pod.sizes), pixels_per_mm) for end in (np.min, np.max))
        why = self.pod.why_none
        if why == "all found":
            return f"All {count} {WORDS[self.kind]} were found: the limit is below {smallest}."
        if why == "none found":
            return f"None of {count} {WORDS[self.kind]} was found: the limit is above {largest}."
        found = int(self.pod.found.sum())
        if why == "no trend":
            return (
                f"Found: {found} of {count} {WORDS[self.kind]}, and larger ones not more often "
                f"than small ones: there is no limit to tell."
            )
        limit = self.pod.limit(SHARE, self.contrast)
        if limit.sure.beyond == "above":
            half = self.pod.limit(0.5, self.contrast).best
            text = f"Of {name}, no size up to {largest} is surely found 9 times in 10"
            return text + (
                "." if half.beyond else f"; half are found at {length(half.value, pixels_per_mm)}."
            )
        large, drawn = self.share_of_large()
        if self.is_rosy():
            return (
                f"Of {name}, only {large} of {drawn} were found from "
                f"{length(limit.sure.value, pixels_per_mm)} on, where the curve says 9 in 10 or "
                f"more: something other than their size hides them."
            )
        size = length(limit.sure.value, pixels_per_mm)
        return f"Of {name}, 9 in 10 are found from {size} on (95% sure), {where}."

    def as_dict(self, pixels_per_mm: float | None) -> dict[str, Any]:
        """Plain values for JSON."""
        a50, a90, by_contrast = self.limit(0.5), self.limit(SHARE), self.by_contrast()
        c90 = None
        if a90 is not None and by_contrast is not None and not by_contrast.why_none:
            sure = by_contrast.limit(SHARE, a90.best.value).sure
            at = a90.best.value
            c90 = {"contrast": sure.value, "beyond": sure.beyond or None, "at_size_px": at}
        return {
            "drawn": len(self.trials),
            "found": int(self.pod.found.sum()),
            "contrast": self.contrast,
            "no_curve_because": self.pod.why_none or None,
            "coefficients": None if self.pod.why_none else self.pod.coefficients.tolist(),
            "a50": None if a50 is None else _bound(a50.best, pixels_per_mm),
            "a90": None if a90 is None else _bound(a90.best, pixels_per_mm),
            "a90_interval": None
            if a90 is None
            else [_bound(one, pixels_per_mm) for one in (a90.low, a90.high)],
            "a90_95": None if a90 is None else _bound(a90.sure, pixels_per_mm),
            "contrast_90_95": c90,
            "too_rosy_for_large_ones": self.is_rosy(),
        }


@dataclass(frozen=True)
class Limits:
    """All that is known after the trials.

    Attributes:
        kinds: by kind, in the order in which they were asked for.
        rim: defects at the rim; None if there are none.
        without_rim: whether the rim is blind, and `kinds` are without it.
        places: map of the part, rows across it and columns along it.
    """

    kinds: list[KindLimits]
    rim: Spot | None
    without_rim: bool
    places: list[list[Spot]]

    @classmethod
    def of(cls, kinds: Sequence[str], trials: Sequence[Trial]) -> "Limits":
        """Work out the limits of kinds; each has one trial at least."""
        first = [KindLimits.of(kind, _of_kind(kind, trials)) for kind in kinds]
        every = [one for kind in first for one in kind.trials]
        expected, found = np.concatenate([_expected(kind) for kind in first]), _found(every)
        at_rim = np.array([one.at_rim and one.kind not in AT_OUTLINE for one in every])
        rim = Spot.of(found[at_rim], expected[at_rim]) if at_rim.any() else None
        cells = np.array([[_cell(one.across), _cell(one.along)] for one in every])

        def spot(row: int, column: int) -> Spot:
            here = (cells == (row, column)).all(axis=1)
            return Spot.of(found[here], expected[here])

        places = [[spot(row, column) for column in range(CELLS)] for row in range(CELLS)]
        inner = {
            kind: [t for t in _of_kind(kind, trials) if not t.at_rim or kind in AT_OUTLINE]
            for kind in kinds
        }
        without = rim is not None and rim.is_blind and all(inner.values())
        if without:
            first = [KindLimits.of(kind, some) for kind, some in inner.items()]
        return cls(first, rim, without, places)

    def where(self, kind: str) -> str:
        """Where on the part the sentence of a kind holds, in words."""
        blind = sum(place.is_blind for row in self.places for place in row)
        if self.without_rim and kind not in AT_OUTLINE:
            return "anywhere but at the rim"
        if blind:
            return f"but at {blind} of {CELLS * CELLS} places of the part (see the map)"
        return "anywhere on the part"

    def sentences(self, pixels_per_mm: float | None) -> list[str]:
        """One for each kind, those that are found from the smallest size on first."""

        def rank(kind: KindLimits) -> tuple[bool, float]:
            if kind.is_flat:
                return kind.pod.why_none != "all found", 0.0
            bound = kind.pod.limit(SHARE, kind.contrast).sure
            return bool(kind.is_rosy() or bound.beyond == "above"), bound.value

        ordered = sorted(self.kinds, key=rank)
        return [kind.sentence(self.where(kind.kind), pixels_per_mm) for kind in ordered]

    def as_dict(self, pixels_per_mm: float | None) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "in_words": self.sentences(pixels_per_mm),
            "kinds": {kind.kind: kind.as_dict(pixels_per_mm) for kind in self.kinds},
            "rim": None if self.rim is None else vars(self.rim) | {"is_blind": self.rim.is_blind},
            "without_rim": self.without_rim,
            "map": [
                [vars(place) | {"is_blind": place.is_blind} for place in row] for row in self.places
            ],
        }


def length(pixels: float, pixels_per_mm: float | None) -> str:
    """A length in words, in mm too if the scale is known."""
    text = f"{pixels:.1f} px" if pixels < 10 else f"{pixels:.0f} px"
    return text if pixels_per_mm is None else f"{text} ({pixels / pixels_per_mm:.2g} mm)"


def _columns(
    trials: Sequence[Trial],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    sizes = np.array([one.size for one in trials])
    contrasts = np.array([one.contrast for one in trials])
    return sizes, contrasts, _found(trials), np.array([one.image for one in trials])


def _found(trials: Sequence[Trial]) -> np.ndarray:
    return np.array([one.found for one in trials], bool)


def _of_kind(kind: str, trials: Sequence[Trial]) -> list[Trial]:
    return [one for one in trials if one.kind == kind]


def _expected(kind: KindLimits) -> np.ndarray:
    """The probability of each trial to be found, wherever it lies."""
    if kind.is_flat:
        return np.full(len(kind.trials), kind.pod.found.mean())
    return kind.pod.probability(kind.pod.sizes, kind.pod.contrasts)


def _cell(place: float) -> int:
    return min(int(place * CELLS), CELLS - 1)


def _bound(bound: Bound, pixels_per_mm: float | None) -> dict[str, Any]:
    made: dict[str, Any] = {"px": bound.value, "beyond": bound.beyond or None}
    return made if pixels_per_mm is None else made | {"mm": bound.value / pixels_per_mm}
