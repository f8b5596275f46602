"""Figures of a station in the text format of Prometheus."""

from collections.abc import Iterator
from typing import get_args

from anomgan.inspection.drift import State
from anomgan.station.station import Station

STATES = get_args(State)
MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_text(station: Station) -> str:
    """All figures, one a line."""
    return "\n".join(_lines(station)) + "\n"


def _lines(station: Station) -> Iterator[str]:
    models = [(_escaped(name), model) for name, model in station.models.items()]
    yield from _head("anomgan_queue_waiting", "gauge", "Images in the queue.")
    yield f"anomgan_queue_waiting {station.waiting}"
    yield from _head("anomgan_turned_away_total", "counter", "Uploads refused by a full queue.")
    yield f"anomgan_turned_away_total {station.turned_away}"
    yield from _head("anomgan_images_total", "counter", "Images by verdict.")
    for name, model in models:
        counts = model.parts.counts
        for verdict in ("ok", "anomalous", "unreadable"):
            yield f'anomgan_images_total{{model="{name}",verdict="{verdict}"}} {counts[verdict]}'
    yield from _head("anomgan_threshold", "gauge", "Score above which an image is anomalous.")
    for name, model in models:
        yield f'anomgan_threshold{{model="{name}"}} {model.loaded.calibration.threshold!r}'
    yield from _head("anomgan_inspection_seconds", "summary", "Time for one image, last 1,000.")
    for name, model in models:
        latency = model.loaded.inspector.latency
        for share, value in ((0.5, latency.p50), (0.95, latency.p95), (0.99, latency.p99)):
            label = f'model="{name}",quantile="{share}"'
            yield f"anomgan_inspection_seconds{{{label}}} {value / 1000:.6g}"
        yield f'anomgan_inspection_seconds_count{{model="{name}"}} {latency.count}'
    yield from _head("anomgan_drift_state", "gauge", "0 steady, 1 drifting, 2 out of calibration.")
    reports = [(name, model.loaded.inspector.drift) for name, model in models]
    for name, report in reports:
        yield f'anomgan_drift_state{{model="{name}"}} {STATES.index(report.state)}'
    yield from _head("anomgan_drift_evidence", "gauge", "Evidence that scores have changed.")
    for name, report in reports:
        yield f'anomgan_drift_evidence{{model="{name}"}} {report.evidence:.6g}'


def _head(name: str, kind: str, about: str) -> tuple[str, str]:
    return f"# HELP {name} {about}", f"# TYPE {name} {kind}"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
