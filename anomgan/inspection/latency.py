"""Measures how long inspections take, in constant memory."""

from dataclasses import dataclass

import numpy as np

WINDOW = 1000
"""Number of last frames over which percentiles are taken."""


@dataclass(frozen=True)
class Latency:
    """How long callers waited for verdicts.

    Attributes:
        count: frames since the inspector was loaded, without bad ones.
        late: those of them that reached their time limit.
        p50: milliseconds, median over the last `WINDOW` frames, late ones with the time until they
            were dropped; NaN before the first frame.
        p95: 95th percentile, likewise.
        p99: 99th percentile, likewise.
    """

    count: int
    late: int
    p50: float
    p95: float
    p99: float


class LatencyWindow:
    """Keeps the times of the last `WINDOW` frames."""

    def __init__(self) -> None:
        self._times = np.full(WINDOW, np.nan)
        self._count = self._late = 0

    def add(self, milliseconds: float, *, late: bool = False) -> None:
        """Count one frame."""
        self._times[self._count % WINDOW] = milliseconds
        self._count += 1
        self._late += late

    def latency(self) -> Latency:
        """The figures so far."""
        times = self._times[: self._count]
        p50, p95, p99 = np.percentile(times, (50, 95, 99)) if self._count else (np.nan,) * 3
        return Latency(self._count, self._late, float(p50), float(p95), float(p99))
