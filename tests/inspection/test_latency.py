import numpy as np
import pytest

from anomgan.inspection.latency import WINDOW, LatencyWindow


def test_percentiles_are_those_of_the_last_frames():
    window = LatencyWindow()
    assert window.latency().count == 0 and np.isnan(window.latency().p50)
    for milliseconds in range(3 * WINDOW):
        window.add(milliseconds, late=milliseconds % 10 == 0)
    latency = window.latency()
    last = np.arange(2 * WINDOW, 3 * WINDOW)
    assert (latency.count, latency.late) == (3 * WINDOW, 3 * WINDOW // 10)
    assert [latency.p50, latency.p95, latency.p99] == pytest.approx(
        np.percentile(last, [50, 95, 99])
    )


def test_the_first_frames_count_by_themselves():
    window = LatencyWindow()
    for milliseconds in (1, 2, 9):
        window.add(milliseconds)
    assert window.latency().p50 == 2
