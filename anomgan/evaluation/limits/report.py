"""Limits as one HTML file, and as JSON for programs."""

import html
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anomgan.data.own_files import JSON
from anomgan.evaluation.limits.bench import NEAR_CELLS, Bench
from anomgan.evaluation.limits.defects import GREY
from anomgan.evaluation.limits.limits import CELLS, SHARE, KindLimits, Limits, length
from anomgan.evaluation.limits.trials import FACTS, PAGE, Trial, check_out
from anomgan.evaluation.page import embedded, page, paragraph, table
from anomgan.machine.files import atomic_path
from anomgan.machine.names import escaped
from anomgan.machine.notes import counted
from anomgan.metrics.pod import Bound, Pod
from anomgan.pictures.pod import Curve, save_map, save_pod
from anomgan.pictures.sheet import save_sheet

EXAMPLES = 3
"""Defects of each kind that were just found, and as many that were just missed."""
POINTS = 40
"""Points of a curve."""
ALIKE = 1.6
"""Defects whose contrast, or size, is within this factor of that of a curve are shown with it."""
VIEW = 48
"""Pixels of an example's view, at least."""
SHOWN = 240
"""Pixels of a picture of an example."""
HEAD = ("defect", "drawn", "found", "a50", "a90", "a90/95", "95% interval of a90")
WAYS = {
    "masks": "the masks that were given",
    "background": "what differs from the plain background",
    "whole": "the whole image, because there is no plain background",
}


def write_limits(
    limits: Limits, bench: Bench, out: Path, title: str, pixels_per_mm: float | None
) -> None:
    """Write `limits.html` and `limits.json` to the folder `out`.

    Raises:
        InputError: as `check_out`, or the disk is full.
    """
    check_out(out, resume=True)
    facts = JSON | _facts(bench, title, pixels_per_mm) | limits.as_dict(pixels_per_mm)
    with atomic_path(out / FACTS) as temporary:
        temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    name = html.escape(escaped(f"Detection limits of {title}"))
    body = [f"<h1>{name}</h1>"]
    body += map(paragraph, limits.sentences(pixels_per_mm))
    body += map(paragraph, describe_bench(bench))
    rows = [_row(kind, pixels_per_mm) for kind in limits.kinds]
    body += ["<h2>Sizes that are found</h2>", table(rows, HEAD), paragraph(_how(bench))]
    with tempfile.TemporaryDirectory() as scratch:
        body += _map(limits, bench, Path(scratch))
        for kind in limits.kinds:
            body += _kind(kind, bench, Path(scratch))
    with atomic_path(out / PAGE) as temporary:
        temporary.write_text(page(name, body), encoding="utf-8")


def describe_bench(bench: Bench) -> list[str]:
    """Say on which images defects were drawn, and which were left out."""
    count, calibration = len(bench.paths), bench.calibration
    lines = [
        f"Defects were drawn on {count} good images, on {WAYS[bench.parts.way]}. The threshold is "
        f"{calibration.threshold:.4g}; it promises a false-alarm rate of "
        f"{calibration.false_alarm_rate:.1%}."
    ]
    if bench.learnt:
        lines.append(f"Images left out because the model learnt from them: {bench.learnt}.")
    if not bench.knows_learnt:
        lines.append(
            "WARNING: the model does not say which images it learnt from; if these are among them, "
            "real limits are worse. A model folder knows, unless an earlier version made it."
        )
    if bench.alarming:
        lines.append(f"Images left out because they raise an alarm as they are: {bench.alarming}.")
    if bench.unreadable:
        count_of = counted(len(bench.unreadable), "file")
        lines.append(f"{count_of} cannot be read: {bench.unreadable[0]}")
    if count < 10:
        lines.append(f"WARNING: {count} images are few, so that the intervals are wide.")
    return lines


def _how(bench: Bench) -> str:
    small, large = bench.sizes
    return (
        f"Size is the diameter of the smallest circle around a defect, in pixels of the image; "
        f"{small:.1f} to {large:.0f} px were drawn. a50 and a90 are the sizes that are found in 50 "
        f"and 90% of all cases; with 95% confidence, a90 is at most a90/95. A defect counts as "
        f"found if the score is above the threshold and the heatmap is hottest at the defect, or "
        f"within {NEAR_CELLS:g} cells of it. Limits hold for defects like the drawn ones: look at "
        f"the pictures."
    )


def _facts(bench: Bench, title: str, pixels_per_mm: float | None) -> dict[str, Any]:
    return {
        "model": title,
        "images": len(bench.paths),
        "left_out": {
            "learnt": bench.learnt,
            "alarming": bench.alarming,
            "unreadable": len(bench.unreadable),
        },
        "knows_what_it_learnt": bench.knows_learnt,
        "part": bench.parts.way,
        "sizes_px": bench.sizes,
        "pixels_per_mm": pixels_per_mm,
        "threshold": bench.calibration.threshold,
        "false_alarm_rate": bench.calibration.false_alarm_rate,
    }


def _row(kind: KindLimits, pixels_per_mm: float | None) -> list[str]:
    def said(bound: Bound) -> str:
        before = f"{bound.beyond} " if bound.beyond else ""
        return before + length(bound.value, pixels_per_mm)

    name = kind.kind
    if kind.contrast is not None:
        name += f", contrast {kind.contrast * GREY:.0f} grey levels"
    counts = [name, str(len(kind.trials)), str(int(kind.pod.found.sum()))]
    half, most = kind.limit(0.5), kind.limit(SHARE)
    if half is None or most is None:
        return [*counts, kind.pod.why_none, "", "", ""]
    rosy = " (too rosy)" if kind.is_rosy() else ""
    interval = f"{said(most.low)} to {said(most.high)}"
    return [*counts, said(half.best), said(most.best), said(most.sure) + rosy, interval]


def _map(limits: Limits, bench: Bench, folder: Path) -> list[str]:
    places = limits.places
    known = np.array([[p.expected >= 3 for p in row] for row in places])
    ratio = np.array([[p.found / max(p.expected, 1e-9) for p in row] for row in places])
    blind = np.array([[p.is_blind for p in row] for row in places])
    image, _, frame = bench.load(0)
    straight = frame.straight(image, 40 * CELLS)
    save_map(
        folder / "map.png", straight, np.where(known, ratio, np.nan), blind, "Where it is blind"
    )
    lines = ["<h2>Where on the part</h2>", embedded(folder / "map.png", "map of the part")]
    lines.append(
        paragraph(
            "Left, one part as the map sees it. Right, the defects found at each place, as a share "
            "of those that would be found there if all places were alike. An exclamation mark is a "
            "blind place: chance alone does not explain why so few are found there."
        )
    )
    rim = limits.rim
    if rim is not None:
        text = f"At the rim, {rim.found} of {rim.drawn} defects were found; {rim.expected:.0f} "
        text += "would be, if all places were alike."
        text += " The limits are those away from the rim." if limits.without_rim else ""
        lines.append(paragraph(text))
    return lines


def _kind(kind: KindLimits, bench: Bench, folder: Path) -> list[str]:
    lines = [f"<h2>{kind.kind}</h2>"]
    a90 = kind.limit(SHARE)
    if a90 is not None:
        picture = folder / f"{kind.kind}-size.png"
        marks = [] if a90.best.beyond else [("a90", a90.best.value)]
        marks += [] if a90.sure.beyond else [("a90/95", a90.sure.value)]
        title = kind.kind
        if kind.contrast is not None:
            title += f", contrast about {kind.contrast * GREY:.0f} grey levels"
        save_pod(picture, _curve(kind.pod, kind.contrast), marks, title, "size in pixels")
        lines.append(embedded(picture, title))
        lines += _contrast_plot(kind, a90.best.value, folder)
    chosen = just_found_and_missed(kind.trials, bench.calibration.threshold)
    picture = folder / f"{kind.kind}.png"
    views = [_view(bench, trial) for trial in chosen]
    titles = [
        f"{'found' if one.found else 'missed'}: {one.size:.0f} px, contrast "
        f"{one.contrast * GREY:.0f}\n{Path(one.image).name}"
        for one in chosen
    ]
    save_sheet(picture, views, titles, "Just found, and just missed")
    return [*lines, embedded(picture, f"{kind.kind}: just found and just missed")]


def _contrast_plot(kind: KindLimits, size: float, folder: Path) -> list[str]:
    pod = kind.by_contrast()
    if pod is None or pod.why_none:
        return []
    picture, title = folder / f"{kind.kind}-contrast.png", f"{kind.kind}, about {size:.0f} px"
    save_pod(picture, _curve(pod, size), [], title, "contrast, as a share of the grey scale")
    return [embedded(picture, title)]


def _curve(pod: Pod, other: float | None) -> Curve:
    """The curve at one value of the other column, and the defects that are near it."""
    x = np.geomspace(pod.sizes.min(), pod.sizes.max(), POINTS)
    near = np.ones(len(pod.sizes), bool)
    others = None
    if other is not None and pod.contrasts is not None:
        near = np.abs(np.log(pod.contrasts / other)) <= np.log(ALIKE)
        others = np.full(POINTS, other)
    low, high = np.array([pod.band(float(one), other) for one in x]).T
    return Curve(x, pod.probability(x, others), low, high, pod.sizes[near], pod.found[near])


def just_found_and_missed(trials: Sequence[Trial], threshold: float) -> list[Trial]:
    """The defects whose scores are nearest to the threshold, found ones first."""
    near = sorted(trials, key=lambda one: abs(one.score - threshold))
    found = [one for one in near if one.found][:EXAMPLES]
    return found + [one for one in near if not one.found][:EXAMPLES]


def _view(bench: Bench, trial: Trial) -> np.ndarray:
    """The surroundings of a defect, enlarged, with a frame around it."""
    defect = bench.draw(trial.kind, trial.number, trial.wanted_size, trial.wanted_contrast)
    assert defect is not None
    half = max(VIEW, round(2 * defect.size)) // 2
    row, column = (round(middle) for middle in defect.centre)
    edges = [(half, half), (half, half), (0, 0)][: defect.image.ndim]
    around = np.pad(defect.image, edges)[row : row + 2 * half, column : column + 2 * half]
    return np.asarray(cv2.resize(around, (SHOWN, SHOWN), interpolation=cv2.INTER_NEAREST))
