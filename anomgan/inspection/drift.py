"""Do new images still score like those that a model was calibrated on?

A bet against exchangeability (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World",
2005, chapter 8; Vovk et al., "Retrain or not retrain", 2021). The calibration scores divide the
line into gaps. As long as new good images are exchangeable with the calibration, the odds that the
next score falls into a gap are known exactly, however few scores there are: they are proportional
to the calibration scores there plus all scores that fell there since (Polya's urn). A bet at these
odds gains nothing on average, and multiplies a stake by 1,000 at any time with a probability of at
most 1 in 1,000 (Ville's inequality). Only scores of images judged ok are bet on, so anomalies,
which are sorted out, are no drift. Another bet watches that there are not too many of them.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from anomgan.detectors.calibration import Calibration

State = Literal["steady", "drifting", "out of calibration"]
DRIFTING, OUT_OF_CALIBRATION = 100, 1000
"""Evidence at which scores count as drifting, and as out of calibration."""
DEFECTIVE = 0.1
"""Share of defective parts that does not count as drift."""
SLOPE = 0.5
"""Stake on scores that rise, or fall: the density bet on is 1 + SLOPE (2 rank - 1)."""
BINS = 8
"""Bins of the histogram of recent ranks that is bet on."""
MEMORY = 0.99
"""Weight of an image relative to the next one: about the last 100 count as recent."""
FAIR = 0.2
"""Part of the stake that is kept when betting on the histogram."""
MOST = 1e12
"""Upper limit of the evidence."""


@dataclass(frozen=True)
class DriftReport:
    """Whether scores are still as at calibration, with the evidence.

    - "steady": there is no sign of a change. A slight drift, or any with few calibration images,
      may go unseen.
    - "drifting" (evidence 100): the scores of good images have changed. Wrong on at most 1 line in
      100, however long it runs.
    - "out of calibration" (evidence 1,000): they have, beyond reasonable doubt; p-values and
      false-alarm rate no longer hold. Wrong on at most 1 line in 1,000.

    A state stays until the model is recalibrated and loaded anew. It assumes that images are
    exchangeable when all is well: many photographs of one part in succession count as drift, too.

    Attributes:
        state: see above.
        reason: what has changed; empty while steady.
        evidence: the most that a stake of 1 has grown to in bets against "nothing has changed".
        images: seen so far.
        ok: those of them that were judged ok.
        most_anomalous: share of anomalous images that false alarms and 10% of defective parts
            explain.
        quarters: share of the recent ok scores (about 100) in each quarter of the calibration
            scores, lowest first; 0.25 each is perfectly steady, NaN without any.
    """

    state: State
    reason: str
    evidence: float
    images: int
    ok: int
    most_anomalous: float
    quarters: tuple[float, float, float, float]

    def __str__(self) -> str:
        text = (
            f"{self.state}{': ' if self.reason else ''}{self.reason} (evidence "
            f"{self.evidence:.3g}; drifting from {DRIFTING}, out of calibration from "
            f"{OUT_OF_CALIBRATION}). {self.ok} of {self.images} images were judged ok"
        )
        if not self.ok:
            return text + "."
        quarters = ", ".join(f"{share:.0%}" for share in self.quarters)
        return f"{text}; recent ok scores in the quarters of the calibration: {quarters}."


class Drift:
    """Follows the scores of new images, one after the other, in constant memory.

    With groups, the odds count groups and are an approximation. If the model was calibrated by
    folds, the scores of its first network are followed: they are exchangeable with those of its
    fold, which the combined score of a new image is not.

    Args:
        calibration: of the model that the scores come from.
    """

    def __init__(self, calibration: Calibration) -> None:
        self._networks = None if calibration.folds is None else 1
        calibration = calibration.of_first_network()
        self._threshold = calibration.threshold
        ok = calibration.scores <= self._threshold
        self._gaps, places = np.unique(calibration.scores[ok], return_inverse=True)
        self._calibrated = np.bincount(places, calibration.score_weights[ok])
        self._urn = self._calibrated.copy()
        # The rate of this very threshold is above the end of its interval for 1 model in 100,000.
        false_alarms = calibration.rate_interval(1 - 2e-5)[1]
        self._most_anomalous = DEFECTIVE + (1 - DEFECTIVE) * false_alarms
        self._rising, self._falling, self._recent, self._anomalous = (Bet() for _ in range(4))
        self._histogram = np.zeros(BINS)
        self._quarters = np.zeros(4)
        self._images = self._ok = 0
        self._evidence = 1.0
        self._reason = ""

    def add(self, scores: Sequence[float]) -> None:
        """Take in the scores of the next image by each network of the model."""
        score = float(np.mean(scores[: self._networks]))
        is_ok = score <= self._threshold
        self._images += 1
        self._ok += is_ok
        self._anomalous.settle(1 + (not is_ok) - self._most_anomalous)
        if is_ok:
            self._bet_on(int(np.searchsorted(self._gaps, score)))
        bets = self._rising, self._falling, self._recent, self._anomalous
        evidence = sum(bet.value for bet in bets) / len(bets)
        if evidence > self._evidence:
            self._evidence = evidence
            self._reason = self._explain()

    def report(self) -> DriftReport:
        """The state and the evidence so far."""
        state: State = "steady"
        if self._evidence >= DRIFTING:
            state = "drifting" if self._evidence < OUT_OF_CALIBRATION else "out of calibration"
        return DriftReport(
            state=state,
            reason="" if state == "steady" else self._reason,
            evidence=self._evidence,
            images=self._images,
            ok=self._ok,
            most_anomalous=self._most_anomalous,
            quarters=self._recent_quarters(),
        )

    def _bet_on(self, gap: int) -> None:
        """Settle the bets on an ok score that fell into a gap, and put it into the urn."""
        low, high = _ranks(self._urn, gap)
        rise = SLOPE * (high + low - 1)
        self._rising.settle(1 + rise)
        self._falling.settle(1 - rise)
        share = _spread(low, high, BINS)
        density = (1 + self._histogram) / (BINS + self._histogram.sum()) * BINS
        self._recent.settle(FAIR + (1 - FAIR) * float(share @ density))
        self._histogram = MEMORY * self._histogram + share
        self._quarters = MEMORY * self._quarters + _spread(*_ranks(self._calibrated, gap), 4)
        self._urn[gap] += 1

    def _recent_quarters(self) -> tuple[float, float, float, float]:
        total = self._quarters.sum()
        first, second, third, fourth = self._quarters / total if total else np.full(4, np.nan)
        return float(first), float(second), float(third), float(fourth)

    def _explain(self) -> str:
        others = self._rising, self._falling, self._recent
        if self._anomalous.value > max(bet.value for bet in others):
            return f"more than {self._most_anomalous:.0%} of the images are anomalous"
        first, *_, fourth = self._recent_quarters()
        if max(first, fourth) < 0.25:
            return "scores of good images gather in the middle"
        if min(first, fourth) > 0.25:
            return "scores of good images spread"
        return f"scores of good images {'rise' if fourth > first else 'fall'}"


class DriftAlarm:
    """Takes in rows of results, and tells when the state of drift changes.

    Args:
        drift: what follows the scores.
        tell: called with the report in words.
    """

    def __init__(self, drift: Drift, tell: Callable[[str], None]) -> None:
        self._drift, self._tell = drift, tell
        self._state: State = "steady"

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row; one without a score, for an image that could not be read, is no news."""
        scores = row.get("scores")
        if not scores:
            return
        # In a row that was read from CSV, a list is JSON.
        self._drift.add(json.loads(scores) if isinstance(scores, str) else scores)
        report = self._drift.report()
        if report.state != self._state:
            self._state = report.state
            self._tell(str(report))


class Bet:
    """One stake; a part of it is put on each image, and grows from there on.

    So a change is noticed at any time, and not only soon after the start.
    """

    def __init__(self) -> None:
        self._standing, self._images = 0.0, 0

    def settle(self, factor: float) -> None:
        """Multiply what is staked by what this image pays, which is 1 at most on average."""
        stake = _not_staked(self._images) - _not_staked(self._images + 1)
        self._standing = min(MOST, (self._standing + stake) * factor)
        self._images += 1

    @property
    def value(self) -> float:
        """What a stake of 1 has become."""
        return self._standing + _not_staked(self._images)


def _not_staked(images: int) -> float:
    return 1 / math.log2(images + 2)


def _ranks(weights: np.ndarray, gap: int) -> tuple[float, float]:
    """The shares of the weights before and up to a gap."""
    total = weights.sum()
    high = weights[: gap + 1].sum()
    return float((high - weights[gap]) / total), float(high / total)


def _spread(low: float, high: float, bins: int) -> np.ndarray:
    """The shares of an interval of [0, 1] in equal bins."""
    edges = np.arange(bins + 1) / bins
    inside = np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1])
    return np.maximum(inside, 0) / (high - low)
