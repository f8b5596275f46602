"""Probability of detection (POD): the share of defects that is found, by their size and contrast.

MIL-HDBK-1823A (2009), for inspections that find a defect or miss it. A curve is fitted by maximum
likelihood:

    p = Phi(b0 + b1 log(size) + b2 log(contrast))

with the cumulative normal Phi, one of the two symmetric links of the handbook. It is exact if the
score grows with the logarithm of the size and has Gaussian noise. In such a case the other link,
the logistic one, gave bounds that held in 90% of the trials instead of 95%.

Its confidence bounds come from the likelihood ratio: a bound on the size that is found in a share p
of all cases is where the best curve through that point becomes too unlikely. Several defects on one
image are not independent of each other. The ratio is therefore divided by the inflation of the
variance that a sandwich estimate over images shows (Chandler and Bate, "Inference for clustered
data using the independence loglikelihood", Biometrika 2007), and judged with as many degrees of
freedom as there are images but one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr, ndtri
from scipy.stats import t as student

STEPS, PRECISION = 60, 1e-8
"""Newton steps at most, and the change of the log-likelihood at which they end."""
STEEPEST = 60.0
"""Slope from which on the curve is a step: the data don't say how steep it is."""
STEP = "a step"
"""Why there is no curve, although there are limits: all is found from some size on."""
FAR = 1e-9
"""Shares below it, and above one minus it, count as never and always."""
SURE = 0.95
"""Confidence, if nothing else is asked for."""


@dataclass(frozen=True)
class Bound:
    """A size, or that it is not in the range of sizes that were tried.

    Attributes:
        value: the size; at the end of the range if it lies beyond it.
        beyond: "below" the smallest size that was tried, "above" the largest one, or "".
    """

    value: float
    beyond: str = ""


@dataclass(frozen=True)
class Limit:
    """The size that is found in a certain share of all cases.

    Attributes:
        best: most likely size.
        low: lower end of the two-sided 95% interval.
        high: upper end of it.
        sure: upper end of the one-sided 95% interval: a90/95 if the share is 0.9.
    """

    best: Bound
    low: Bound
    high: Bound
    sure: Bound


class Pod:
    """A POD curve of defects that were found or missed.

    Args:
        sizes: of the defects, above 0 [n].
        found: bool [n].
        contrasts: of the defects, above 0 [n]; None if contrast is not looked at.
        images: which image each defect is on [n]; None if all are independent.

    Raises:
        ValueError: the arrays differ in length, are empty, or hold sizes that are not above 0.
    """

    def __init__(
        self,
        sizes: np.ndarray,
        found: np.ndarray,
        contrasts: np.ndarray | None = None,
        images: np.ndarray | None = None,
    ) -> None:
        self.sizes, self.found = np.asarray(sizes, float), np.asarray(found, bool)
        self.contrasts = None if contrasts is None else np.asarray(contrasts, float)
        columns = [self.sizes] if self.contrasts is None else [self.sizes, self.contrasts]
        if not len(self.sizes) or any(len(one) != len(self.found) for one in columns):
            raise ValueError("sizes, contrasts and found must have one length, above 0")
        if not all((np.isfinite(one) & (one > 0)).all() for one in columns):
            raise ValueError("sizes and contrasts must be above 0")
        self._x = np.log(np.stack(columns, axis=1))
        self._design = np.column_stack([np.ones(len(self._x)), self._x])
        self._members = np.unique(
            np.arange(len(self.found)) if images is None else images, return_inverse=True
        )[1]
        self.coefficients, self._likelihood = _maximise(self._design, self.found)

    @cached_property
    def why_none(self) -> str:
        """Why there is no curve: "all found", "none found", `STEP`, "no trend"; or ""."""
        if self.found.all():
            return "all found"
        if not self.found.any():
            return "none found"
        others = np.delete(self._design, 1, axis=1)
        lost = 2 * (self._likelihood - _maximise(others, self.found)[1])
        if self.coefficients[1] <= 0 or lost <= self._allowed(SURE, sides=2):
            return "no trend"
        return STEP if self.coefficients[1] > STEEPEST else ""

    def probability(self, size: np.ndarray, contrast: np.ndarray | None = None) -> np.ndarray:
        """The share that is found, at sizes and contrasts (in common with `size`, if any)."""
        b = self.coefficients
        eta = b[0] + b[1] * np.log(np.asarray(size, float))
        if self.contrasts is not None:
            eta = eta + b[2] * np.log(np.asarray(contrast, float))
        return np.asarray(ndtr(eta))

    def band(self, size: float, contrast: float | None = None) -> tuple[float, float]:
        """Bounds of the share at a size; each holds with 95% confidence for itself."""
        centre = self._centre(size, contrast)
        ends = ndtri([FAR, 1 - FAR])
        best = float(np.clip(self.coefficients @ [1.0, *centre], *ends))
        allowed = np.sqrt(self._allowed(SURE, sides=1))

        def excess(eta: float) -> float:
            return self._root_deviance(centre, eta) - allowed

        low, high = (_root(excess, best, float(end)) for end in ends)
        return (
            0.0 if low is None else float(ndtr(low)),
            1.0 if high is None else float(ndtr(high)),
        )

    def limit(self, share: float, contrast: float | None = None) -> Limit:
        """The size that is found in a share of all cases, within the sizes that were tried."""
        start, end = (float(np.log(one)) for one in (self.sizes.min(), self.sizes.max()))
        eta = float(ndtri(share))
        b, others = self.coefficients, self._centre(1.0, contrast)[1:]
        best = float((eta - b[0] - b[2:] @ others) / b[1]) if b[1] > 0 else np.inf

        def excess(x: float) -> float:
            return self._root_deviance(np.array([x, *others]), eta)

        def bound(stop: float, sides: int) -> Bound:
            way = -1.0 if stop == start else 1.0
            if way * (best - stop) >= 0:  # the best size already lies at this end, or beyond it
                return _bound(best, start, end)
            allowed = np.sqrt(self._allowed(SURE, sides))
            root = _root(lambda x: excess(x) - allowed, min(max(best, start), end), stop)
            return _bound(way * np.inf if root is None else root, start, end)

        return Limit(_bound(best, start, end), bound(start, 2), bound(end, 2), bound(end, 1))

    @cached_property
    def _inflation(self) -> float:
        """How many times larger the variance is because defects on one image are alike."""
        count = int(self._members.max()) + 1
        if count == len(self.found):
            return 1.0
        slope, bend = _derivatives(self._design @ self.coefficients, self.found)
        inverse = np.linalg.pinv((self._design * bend[:, None]).T @ self._design)
        scores = np.zeros((count, self._design.shape[1]))
        np.add.at(scores, self._members, self._design * slope[:, None])
        robust = inverse @ (scores.T @ scores) @ inverse * count / max(1, count - 1)
        # Of the size that is found nine times in ten, at the middle of the other columns.
        b, middle = self.coefficients, self._x.mean(axis=0)
        size = (ndtri(0.9) - b[0] - b[2:] @ middle[1:]) / (b[1] or 1e-12)
        direction = np.array([1.0, size, *middle[1:]])
        plain = float(direction @ inverse @ direction)
        return max(1.0, float(direction @ robust @ direction) / plain) if plain > 0 else 1.0

    def _allowed(self, confidence: float, sides: int) -> float:
        """The deviance up to which a curve is not too unlikely."""
        freedom = max(1, int(self._members.max()))
        return self._inflation * float(student.isf((1 - confidence) / sides, freedom)) ** 2

    def _centre(self, size: float, contrast: float | None) -> np.ndarray:
        given = [size] if self.contrasts is None else [size, contrast]
        return np.log(np.array(given, float))

    def _root_deviance(self, centre: np.ndarray, eta: float) -> float:
        """Root of twice the log-likelihood that is lost if the curve is at `eta` at `centre`.

        It is almost linear in both, so that few steps find where it has a certain value.
        """
        design, start = self._x - centre, self.coefficients[1:]
        likelihood = _maximise(design, self.found, eta, start)[1]
        return float(np.sqrt(max(0.0, 2 * (self._likelihood - likelihood))))


def _bound(x: float, start: float, end: float) -> Bound:
    beyond = "below" if x < start else "above" if x > end else ""
    return Bound(float(np.exp(min(max(x, start), end))), beyond)


def _maximise(
    design: np.ndarray,
    found: np.ndarray,
    offset: float = 0.0,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Coefficients [k] of the most likely curve, and its log-likelihood, by Newton's method."""
    sign = np.where(found, 1.0, -1.0)
    b = np.zeros(design.shape[1]) if start is None else start
    eta = offset + design @ b
    likelihood = float(log_ndtr(sign * eta).sum())
    for _ in range(STEPS):
        slope, bend = _derivatives(eta, found)
        hessian = (design * bend[:, None]).T @ design
        hessian[np.diag_indices_from(hessian)] += 1e-9 * (1 + hessian.diagonal())
        step = np.linalg.solve(hessian, design.T @ slope)
        for _ in range(20):  # halved until the likelihood grows
            new_eta = offset + design @ (b + step)
            new = float(log_ndtr(sign * new_eta).sum())
            if new >= likelihood - PRECISION:
                break
            step = step / 2
        else:
            break
        gain, b, eta, likelihood = new - likelihood, b + step, new_eta, new
        if gain < PRECISION:
            break
    return b, likelihood


def _derivatives(eta: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the log-likelihood of each case by `eta`: slope, and bend with its sign changed."""
    sign = np.where(found, 1.0, -1.0)
    ratio = np.exp(-0.5 * eta**2 - 0.5 * np.log(2 * np.pi) - log_ndtr(sign * eta))
    return sign * ratio, ratio * (ratio + sign * eta)


def _root(excess: Callable[[float], float], inside: float, end: float) -> float | None:
    """Where `excess`, below 0 at `inside`, becomes 0 towards `end`; None if it does not."""
    if inside == end or excess(end) <= 0:
        return None
    if excess(inside) >= 0:
        return inside
    return float(brentq(excess, inside, end, xtol=1e-4))
