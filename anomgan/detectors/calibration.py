"""Calibration on normal images that a network has not learnt from: p-values and thresholds.

Held-out images, or those that a model is recalibrated on: Vovk, Gammerman and Shafer, "Algorithmic
Learning in a Random World" (2005). If a new good image is exchangeable with them,
P(p-value <= rate) <= rate, whatever the detector.

Folds: Vovk, "Cross-conformal predictors" (2015). Each fold of the images is scored by a network
that was trained on the other folds, and a new image by all of these networks. Barber, Candes,
Ramdas and Tibshirani, "Predictive inference with the jackknife+" (2021), theorem 4, bound the rate:
it is at most twice the promised one and some more, see `Calibration.worst_rate`. In practice it
is about the promised rate.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
    """Scores of normal images by networks that had not seen them, and the false-alarm rate.

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
        folds: the fold of each of `scores`, that is the number of the network that gave the score;
            None if all networks scored all of the images.
        peaks: largest values of the heatmaps of the same images, ascending; None in models that
            did not store them.
        peak_weights: weight of each of `peaks`.
        region_rate: share of good images that may have a marked region; None marks all that is as
            hot as the threshold of scores.
    """

    scores: np.ndarray
    heat: np.ndarray
    score_weights: np.ndarray
    heat_weights: np.ndarray
    false_alarm_rate: float
    requested_rate: float
    folds: np.ndarray | None = None
    peaks: np.ndarray | None = None
    peak_weights: np.ndarray | None = None
    region_rate: float | None = None

    @classmethod
    def from_scores(
        cls,
        scores: Sequence[float],
        heat: Sequence[float],
        requested_rate: float,
        groups: Sequence[str] | None = None,
        folds: np.ndarray | None = None,
        peaks: Sequence[float] | None = None,
        region_rate: float | None = None,
    ) -> "Calibration":
        """Calibrate on the scores and heatmaps of normal images; see the attributes."""
        names = list(range(len(scores))) if groups is None else list(groups)
        sizes = Counter(names)
        weights = np.array([1 / sizes[name] for name in names])
        exact, hottest = np.asarray(scores, np.float64), np.asarray(heat, np.float64)
        by_score, by_heat = np.argsort(exact), np.argsort(hottest)
        largest = np.asarray(heat if peaks is None else peaks, np.float64)
        by_peak = np.argsort(largest)
        return cls(
            exact[by_score],
            hottest[by_heat],
            weights[by_score],
            weights[by_heat],
            requested_rate,
            requested_rate,
            None if folds is None else folds[by_score],
            largest[by_peak],
            weights[by_peak],
            region_rate,
        ).at_rate(requested_rate)

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
        names = ["scores", "heat", "score_weights", "heat_weights"]
        if values.get("peaks") is not None:  # earlier models have none
            names += ["peaks", "peak_weights"]
        arrays = {name: np.asarray(values[name], np.float64) for name in names}
        rates = {name: float(values[name]) for name in ("false_alarm_rate", "requested_rate")}
        if values.get("region_rate") is not None:
            rates["region_rate"] = float(values["region_rate"])
        first = arrays["scores"]
        if (
            any(x.shape != first.shape for x in arrays.values())
            or first.ndim != 1
            or not len(first)
        ):
            raise ValueError("calibration: scores, heat and weights must be lists of one length")
        for name, x in arrays.items():
            if "weights" in name and not ((x > 0) & (x <= 1)).all():
                raise ValueError("calibration: weights must be above 0 and at most 1")
            if "weights" not in name and (not np.isfinite(x).all() or (np.diff(x) < 0).any()):
                raise ValueError("calibration: scores and heat must be numbers that ascend")
        if not all(0 < rate < 1 for rate in rates.values()):
            raise ValueError("calibration: rates must be between 0 and 1")
        folds = values.get("folds")
        if folds is not None:
            folds = np.asarray(folds, np.int64)
            if folds.shape != first.shape or folds.min() < 0:
                raise ValueError("calibration: there must be a fold for each score")
        fields: dict[str, Any] = {**arrays, **rates, "folds": folds}
        return cls(**fields)

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

    def of_first_network(self) -> "Calibration":
        """The calibration of the first network alone, by its fold; all of it without folds."""
        if self.folds is None:
            return self
        return self._of(self.folds == self.folds.min())

    def threshold_without(self, count: int) -> float | None:
        """Return the threshold without the `count` highest scores; None if no other is left."""
        if len(self.scores) <= count:
            return None
        return self._of(slice(len(self.scores) - count)).threshold  # they ascend

    def _of(self, chosen: np.ndarray | slice) -> "Calibration":
        """Calibrate on some of the scores, bool [n] or a slice."""
        # `heat` has an order of its own, and nobody asks for that of some scores.
        scores, weights = self.scores[chosen], self.score_weights[chosen]
        rate = self.requested_rate
        return Calibration(scores, scores, weights, weights, rate, rate).at_rate(rate)

    def score(self, each: Sequence[float]) -> float:
        """Combine the scores of a new image by each network: their mean.

        With folds, p-values compare the networks one by one. Where p-value and mean disagree, close
        to the threshold, the mean is moved to the other side of it. So the score is above the
        threshold if, and only if, the p-value is at most the rate.
        """
        mean = float(np.mean(each))
        if self.folds is None:
            return mean
        if self.p_value(each) <= self.false_alarm_rate + 1e-9:
            return max(mean, float(np.nextafter(self.threshold, np.inf)))
        return min(mean, self.threshold)

    def p_value(self, each: Sequence[float]) -> float:
        """Return (1 + weight of the images that score as high) / (1 + groups), in (0, 1].

        Lee, Barber and Willett, "Distribution-free inference with hierarchical data" (2023);
        without groups, (1 + #{calibration score >= score}) / (1 + n). With folds, each calibration
        score is compared with the score that the same network gives to the new image.

        Args:
            each: scores of a new image by each network.
        """
        by_network = np.asarray(each, np.float64)
        scores = by_network.mean() if self.folds is None else by_network[self.folds]
        as_high = self.score_weights[self.levels >= scores].sum()
        return float((1 + as_high) / (1 + self.groups))

    @property
    def threshold(self) -> float:
        """Score above which an image is anomalous, that is p-value <= rate."""
        return self._cut(self.levels, self.score_weights, self.false_alarm_rate)

    @property
    def heat_threshold(self) -> float:
        """Heatmap value above which a region is marked.

        With a `region_rate`, at most this share of good images has a region above it. Otherwise the
        mean of the hottest pixels of good images is above it at the false-alarm rate.
        """
        if self.region_rate is None or self.peaks is None or self.peak_weights is None:
            return self._cut(self.heat, self.heat_weights, self.false_alarm_rate)
        return self._cut(self.peaks, self.peak_weights, self._possible(self.region_rate))

    def region_p_value(self, peak: float) -> float | None:
        """The share of good images that have a region as hot, (1 + weight) / (1 + groups).

        The largest value of each good image is the reference. So a good image has any region with
        a p-value of at most r in a share of r, however many regions it has. None if the model did
        not store these values.
        """
        if self.peaks is None or self.peak_weights is None:
            return None
        return float((1 + self.peak_weights[self.peaks >= peak].sum()) / (1 + self.groups))

    def at_rate(self, rate: float) -> "Calibration":
        """The same calibration images with another requested false-alarm rate."""
        return replace(self, false_alarm_rate=self._possible(rate), requested_rate=rate)

    def _possible(self, rate: float) -> float:
        """Return a rate, or the lowest that can be promised if that is higher."""
        return max(rate, 1 / (self.groups + 1))

    def shortfalls(self, recalibrated: bool = False) -> Iterator[str]:
        """What to do about each requested rate that cannot be promised.

        Args:
            recalibrated: whether these are not images of the fit, so that none are held out.
        """
        what, more = ("groups of calibration images", "parts")
        if not self.grouped:
            what, more = "calibration images", "images"
        if self.region_rate is not None and self.region_rate < self._possible(self.region_rate):
            yield self._shortfall("region", self.region_rate, what)
        if self.false_alarm_rate <= self.requested_rate:
            return
        if recalibrated:
            advice = f"Give more good {more}, or ask for a higher false_alarm_rate"
        else:
            hold = "" if self.folds is not None else ", hold more of them out (calibration.share)"
            advice = (
                f"Add good {more}{hold}, or ask for a higher rate (calibration.false_alarm_rate)"
            )
        yield f"{self._shortfall('false-alarm', self.requested_rate, what)}. {advice}"

    def _shortfall(self, kind: str, rate: float, what: str) -> str:
        needed = math.ceil(1 / rate - 1 - 1e-9)
        return (
            f"a {kind} rate of {rate:.2%} takes at least {needed} {what}; {self.groups} can "
            f"promise no less than {self._possible(rate):.2%}"
        )

    @property
    def grouped(self) -> bool:
        """Whether some images share a group."""
        return self.groups < len(self.scores)

    @property
    def worst_rate(self) -> float:
        """The largest possible rate of false alarms, in the mean over calibrations.

        That is the promised rate; with K folds of n groups, twice that and min(2 (1 - 1/K) /
        (n/K + 1), (1 - K/n) / (K + 1)) more, by theorem 4 of Barber et al.
        """
        if self.folds is None:
            return self.false_alarm_rate
        count, groups = len(np.unique(self.folds)), self.groups
        more = min(2 * (1 - 1 / count) / (groups / count + 1), (1 - count / groups) / (count + 1))
        return min(1.0, 2 * self.false_alarm_rate + more)

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

    def _cut(self, values: np.ndarray, weights: np.ndarray, rate: float) -> float:
        """Find the lowest calibration value above which p-values are within the rate."""
        above = np.cumsum(weights[::-1])[::-1] - weights
        allowed = rate * (self.groups + 1) - 1 + 1e-9
        return float(values[np.argmax(above <= allowed)])
