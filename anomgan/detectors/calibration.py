"""What held-out normal images promise about new ones: conformal p-values and thresholds.

Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World" (2005): when a new good image
is exchangeable with the held-out ones, P(p-value <= rate) <= rate, whatever the detector.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta


def hold_out(
    groups: Sequence[str], share: float, minimum: int, seed: int
) -> tuple[list[int], list[int]]:
    """Split image indices into (training, held out), never dividing a group.

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
    """Scores of the held-out normal images, and the rate that verdicts keep to.

    Attributes:
        scores: image scores, ascending [n].
        heat: hottest values of the heatmaps of the same images, pooled as scores are, ascending.
        false_alarm_rate: the rate that verdicts keep to: the one asked for, or 1 / (n + 1) where
            n images cannot promise less.
        requested_rate: the rate that was asked for.
    """

    scores: np.ndarray
    heat: np.ndarray
    false_alarm_rate: float
    requested_rate: float

    @classmethod
    def from_scores(
        cls, scores: Sequence[float], heat: Sequence[float], requested_rate: float
    ) -> "Calibration":
        """Calibrate on the scores and heatmap peaks of held-out normal images."""
        reachable = 1 / (len(scores) + 1)
        return cls(
            np.sort(np.asarray(scores, dtype=np.float64)),
            np.sort(np.asarray(heat, dtype=np.float64)),
            max(requested_rate, reachable),
            requested_rate,
        )

    def p_value(self, score: float) -> float:
        """(1 + #{held-out score >= score}) / (1 + n), in (0, 1]."""
        n = len(self.scores)
        at_least = n - int(np.searchsorted(self.scores, score, side="left"))
        return (1 + at_least) / (1 + n)

    @property
    def threshold(self) -> float:
        """An image is anomalous when its score is above this, that is p-value <= rate."""
        return float(self.scores[-1 - self._allowed])

    @property
    def heat_threshold(self) -> float:
        """Heatmap value above which a region is marked; the same rank among held-out images."""
        return float(self.heat[-1 - self._allowed])

    @property
    def images_needed(self) -> int:
        """Held-out images that the requested rate takes."""
        return math.ceil(1 / self.requested_rate - 1 - 1e-9)

    def rate_interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Where the long-run false-alarm rate of this very threshold lies.

        The promised rate is an average over calibrations; given one set of n scores with k of
        them above the threshold, the rate is distributed as Beta(k + 1, n - k).
        """
        n, above = len(self.scores), self._allowed
        tail = (1 - confidence) / 2
        low, high = beta.ppf([tail, 1 - tail], above + 1, n - above)
        return float(low), float(high)

    @property
    def _allowed(self) -> int:
        """Held-out scores that may lie above the threshold."""
        n = len(self.scores)
        return max(0, math.floor(self.false_alarm_rate * (n + 1) + 1e-9) - 1)
