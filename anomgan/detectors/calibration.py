"""Calibration on held-out normal images: conformal p-values and thresholds.

Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005): if a new good image is
exchangeable with the held-out ones, P(p-value <= rate) <= rate, whatever the detector.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv

TIE = 1e-5
"""Scores that differ by less than this share of the largest score count as equal."""


def hold_out(
    groups: Sequence[str], share: float, minimum: int, seed: int
) -> tuple[list[int], list[int]]:
    """Split image indices into (training, held out) without dividing a group.

    Groups are drawn at random until at least max(share * n, minimum) images are held out.
    """
    rng = np.random.default_rng((seed, 1))
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    names = sorted(members)
    rng.shuffle(names)
    wanted = max(math.ceil(share * len(groups)), minimum)
    held: list[int] = []
    while names and len(held) < wanted:
        held += members[names.pop()]
    return sorted(index for name in names for index in members[name]), sorted(held)


@dataclass(frozen=True)
class Calibration:
    """Scores of the held-out normal images, and the false-alarm rate of the threshold.

    Images of one group (photographs of one part) are alike, so a group counts as one image: each
    image weighs 1 / (size of its group). Without groups, each image is its own group.

    Attributes:
        scores: image scores, ascending [n].
        heat: hottest values of the heatmaps of the same images, pooled like scores, ascending.
        score_weights: weight of each of `scores`; they sum to the number of groups.
        heat_weights: weight of each of `heat`.
        false_alarm_rate: the rate that the threshold guarantees: the requested one, or
            1 / (groups + 1) if there are too few groups for it.
        requested_rate: the rate that was asked for.
    """

    scores: np.ndarray
    heat: np.ndarray
    score_weights: np.ndarray
    heat_weights: np.ndarray
    false_alarm_rate: float
    requested_rate: float

    @classmethod
    def from_scores(
        cls,
        scores: Sequence[float],
        heat: Sequence[float],
        requested_rate: float,
        groups: Sequence[str] | None = None,
    ) -> "Calibration":
        """Calibrate on the scores and heatmap peaks of held-out normal images."""
        names = list(range(len(scores))) if groups is None else list(groups)
        sizes = Counter(names)
        weights = np.array([1 / sizes[name] for name in names])
        exact, hottest = np.asarray(scores, np.float64), np.asarray(heat, np.float64)
        by_score, by_heat = np.argsort(exact), np.argsort(hottest)
        return cls(
            exact[by_score],
            hottest[by_heat],
            weights[by_score],
            weights[by_heat],
            max(requested_rate, 1 / (len(sizes) + 1)),
            requested_rate,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for model.json; `from_dict` reads them back."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Calibration":
        """Read the values of `as_dict`.

        Raises:
            KeyError: a value is missing.
            TypeError: a value has the wrong type.
            ValueError: the values are not those of a calibration.
        """
        names = ("scores", "heat", "score_weights", "heat_weights")
        arrays = [np.asarray(values[name], np.float64) for name in names]
        scores, heat, score_weights, heat_weights = arrays
        rates = float(values["false_alarm_rate"]), float(values["requested_rate"])
        shapes = {x.shape for x in arrays}
        if len(shapes) > 1 or scores.ndim != 1 or not scores.size:
            raise ValueError("calibration: scores, heat and weights must be lists of one length")
        for x in (scores, heat):
            if not np.isfinite(x).all() or (np.diff(x) < 0).any():
                raise ValueError("calibration: scores and heat must be numbers that ascend")
        if not all(((x > 0) & (x <= 1)).all() for x in (score_weights, heat_weights)):
            raise ValueError("calibration: weights must be above 0 and at most 1")
        if not all(0 < rate < 1 for rate in rates):
            raise ValueError("calibration: rates must be between 0 and 1")
        return cls(scores, heat, score_weights, heat_weights, *rates)

    @property
    def groups(self) -> int:
        """Number of groups; without groups, number of images."""
        return round(float(self.score_weights.sum()))

    @property
    def levels(self) -> np.ndarray:
        """The values that a new score must exceed to be above each of `scores`, ascending [n].

        Other batch sizes and exported graphs round differently, so scores within `TIE` are equal.
        """
        return self.scores + TIE * np.abs(self.scores).max()

    def p_value(self, score: float) -> float:
        """Return (1 + weight of the held-out scores >= score) / (1 + groups), in (0, 1].

        Lee, Barber and Willett, "Distribution-free inference with hierarchical data" (2023);
        without groups, (1 + #{held-out score >= score}) / (1 + n).
        """
        first = int(np.searchsorted(self.levels, score, side="left"))
        return float((1 + self.score_weights[first:].sum()) / (1 + self.groups))

    @property
    def threshold(self) -> float:
        """Score above which an image is anomalous, that is p-value <= rate."""
        return self._cut(self.levels, self.score_weights)

    @property
    def heat_threshold(self) -> float:
        """Heatmap value above which a region is marked; it has the same false-alarm rate."""
        return self._cut(self.heat, self.heat_weights)

    @property
    def groups_needed(self) -> int:
        """Number of held-out groups (images, without groups) that the requested rate needs."""
        return math.ceil(1 / self.requested_rate - 1 - 1e-9)

    @property
    def shortfall(self) -> str:
        """What to do if the requested rate cannot be promised; "" if it can."""
        rate, groups = self.false_alarm_rate, self.groups
        if rate <= self.requested_rate:
            return ""
        what, more = ("groups of held-out images", "parts")
        if not self.grouped:
            what, more = "held-out images", "images"
        return (
            f"a false-alarm rate of {self.requested_rate:.2%} takes at least "
            f"{self.groups_needed} {what}; {groups} can promise no less than {rate:.2%}. Add good "
            f"{more}, hold more of them out (calibration.share), or ask for a higher rate "
            f"(calibration.false_alarm_rate)"
        )

    @property
    def grouped(self) -> bool:
        """Whether some images share a group."""
        return self.groups < len(self.scores)

    def rate_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the interval of the long-run false-alarm rate of this threshold.

        The promised rate is an average over calibrations. For one set of n scores, k of them above
        the threshold, the rate is distributed as Beta(k + 1, n - k). With groups, n and k count
        groups, and this is an approximation.
        """
        n = self.groups
        above = self.score_weights[self.levels > self.threshold].sum()
        tail = (1 - confidence) / 2
        low, high = betaincinv(above + 1, n - above, [tail, 1 - tail])
        return float(low), float(high)

    def _cut(self, values: np.ndarray, weights: np.ndarray) -> float:
        """Find the lowest held-out value above which p-values are within the rate."""
        allowed = self.false_alarm_rate * (self.groups + 1) - 1 + 1e-9
        above = np.cumsum(weights[::-1])[::-1] - weights
        return float(values[np.argmax(above <= allowed)])
