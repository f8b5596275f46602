"""Are detection limits true? Real defects with masks against the limits of drawn ones.

    python benchmarks/limits_check.py
    python benchmarks/limits_check.py --sets screw magnetic_tile --set backbone.long_side=768

A model is fitted to the good images of each data set, and defects are drawn on those that it held
out. Then each real defect gets the probability to be found that its size and contrast have among
drawn defects of the kind that it is most like, and these are compared with how many were found.
Each data set with its settings is one record. What is there already is not measured again, and a
run that was stopped goes on: models and drawn defects are kept in benchmarks/models/limits_check/,
which has to be deleted when drawing has changed.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from study import DATA, MODELS, RESULTS, parts_table

from anomgan import GANomaly
from anomgan.config_files import parse_assignments
from anomgan.data.decode import read_image, to_uint8, with_channels
from anomgan.data.folders import list_images
from anomgan.data.public_sets import LabelledImage, read_mask, read_test
from anomgan.detectors import load
from anomgan.detectors.base import Detector
from anomgan.detectors.result import Result
from anomgan.evaluation.limits import Bench, Limits, run_trials
from anomgan.evaluation.limits.defects import GREY, KINDS, NATURAL, measure
from anomgan.evaluation.limits.limits import KindLimits
from anomgan.evaluation.records import Record, append_record, environment, read_records
from anomgan.machine.progress import progress_bar
from anomgan.pictures.canvas import COLOURS, DPI, save

STUDY = "limits_check"
SETS = ("screw", "magnetic_tile", "pipe_staple")
FIXED = ("space=features", "calibration.method=held-out")
LIKE = {
    "manipulated_front": "missing",
    "scratch_head": "foreign",
    "scratch_neck": "foreign",
    "thread_side": "missing",
    "thread_top": "foreign",
    "blowhole": "pit",
    "break": "missing",
    "crack": "crack",
    "fray": "smear",
    "uneven": "stain",
    "missing": "missing",
}
"""The drawn kind that each real kind looks most like. "Scratches" of the screws are spots that were
ground off, as wide as long."""
REPLACE = ("smear", "missing", "foreign")
"""Kinds that take the texture of the surface away; others add to it."""
RING = 5
"""Width in pixels of the surroundings that a real defect is compared with."""
BINS = 3
"""Of each real kind, by the predicted probability."""
POINTS = 30
"""Points of a curve."""
TICKS = (5, 10, 20, 50, 100, 200, 500)
"""Pixels."""


def fitted(name: str, settings: Sequence[str], folder: Path, device: str) -> Detector:
    """The model of a data set; fitted if it is not there yet."""
    if not folder.exists():
        detector = GANomaly.from_settings(parse_assignments([*FIXED, *settings]), device)
        detector.fit(DATA / name / "train" / "good", groups=parts_table(name))
        detector.save(folder)
    return load(folder, device)


def real_defect(
    image: np.ndarray, mask: np.ndarray, part: np.ndarray, like: str
) -> tuple[float, float]:
    """Size and contrast of a real defect, measured as those of drawn ones are.

    What a good part would show is not known. The mean of a ring around the defect, on the part,
    takes its place. How much pixels of the ring differ from it is texture: it is added where the
    defect took the texture away, and taken off where the defect still has it.
    """
    pixels = with_channels(image, 3).astype(np.float32)
    side = 2 * RING + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    ring = grown & ~mask & part
    around = pixels[ring] if ring.any() else pixels[part]
    inside, texture = (
        float(np.square(some - around.mean(axis=0)).mean()) for some in (pixels[mask], around)
    )
    change = np.sqrt(inside + texture if like in REPLACE else abs(inside - texture))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    largest = labels == 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())
    size = measure(largest, np.array([change]))[0]
    return size, max(float(change) / GREY, 1 / GREY)


def predict(kind: KindLimits, size: float, contrast: float) -> float:
    """The probability that a drawn defect of this size and contrast is found."""
    if kind.is_flat:
        return float(kind.pod.found.mean())
    return float(kind.pod.probability(np.array(size), np.array(contrast)))


def compare(name: str, settings: Sequence[str], per_kind: int, device: str) -> Record:
    """The record of one data set."""
    work = MODELS / STUDY / "_".join([name, *settings])
    detector = fitted(name, settings, work / "model", device)
    folder = DATA / name / "train" / "good"
    bench = Bench.prepare(detector, list_images(folder), folder, None)
    defective = [image for image in read_test(DATA / name) if image.is_anomalous]
    wanted = {LIKE[image.kind] for image in defective}
    kinds = [kind for kind in KINDS if kind in wanted]
    trials = run_trials(bench, kinds, per_kind, work, resume=True)
    limits = {one.kind: one for one in Limits.of(kinds, trials).kinds}
    rows = []
    with progress_bar("real defects", len(defective)) as report:
        results = detector.score_each(image.source for image in defective)
        for done, (image, result) in enumerate(zip(defective, results), start=1):
            rows += look(image, result, bench, limits[LIKE[image.kind]])
            report(done)
    return {
        "study": STUDY,
        "dataset": name,
        "detector": detector.settings.detector,
        "config": ", ".join(["default", *FIXED, *settings]),
        "long_side": detector.fitted.preparation.size,
        "seed": detector.settings.seed,
        "n_good": len(bench.paths),
        "per_kind": per_kind,
        "sizes": bench.sizes,
        "drawn": {kind: one.as_dict(None) for kind, one in limits.items()},
        "real": rows,
        **summary(rows),
        "curves": curves(rows, limits),
        **environment(detector.device),
    }


def look(image: LabelledImage, result: Result, bench: Bench, kind: KindLimits) -> list[Record]:
    """What is predicted of a real defect, and what was found; nothing if its mask is empty."""
    pixels = to_uint8(read_image(str(image.source)), bench.detector.bits)
    mask = read_mask(image, (pixels.shape[0], pixels.shape[1]))
    if mask is None or not mask.any():
        return []
    part = bench.parts.find(Path(str(image.source)), pixels)
    size, contrast = real_defect(pixels, mask, part, kind.kind)
    alarm = bool(result.score > result.threshold)
    return [
        {
            "kind": image.kind,
            "size": size,
            "contrast": contrast,
            "predicted": predict(kind, size, contrast),
            "alarm": alarm,
            "found": alarm and hottest_at(mask, bench, result),
        }
    ]


def hottest_at(mask: np.ndarray, bench: Bench, result: Result) -> bool:
    """Whether the heatmap is hottest at a real defect, with the same play as for drawn ones."""
    reach = round(bench.near(result.heatmap, result))
    row, column = divmod(int(result.heatmap.argmax()), result.heatmap.shape[1])
    near = mask[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return bool(near.any())


def by_kind(rows: Sequence[Record]) -> dict[str, list[Record]]:
    """Real defects of each kind."""
    kinds = sorted({row["kind"] for row in rows})
    return {kind: [row for row in rows if row["kind"] == kind] for kind in kinds}


def summary(rows: Sequence[Record]) -> Record:
    """Predicted and observed share, of all and by kind."""

    def means(some: Sequence[Record]) -> Record:
        names = ("predicted", "found", "alarm")
        return {name: float(np.mean([row[name] for row in some])) for name in names}

    figures = {
        kind: {
            "n": len(some),
            **means(some),
            "median_size": float(np.median([row["size"] for row in some])),
            "median_contrast": float(np.median([row["contrast"] for row in some])),
        }
        for kind, some in by_kind(rows).items()
    }
    return {**means(rows), "per_defect": figures}


def curves(rows: Sequence[Record], limits: dict[str, KindLimits]) -> Record:
    """The curve of the drawn kind with its band, at the median contrast of each real kind."""
    made = {}
    for real, some in by_kind(rows).items():
        kind = limits[LIKE[real]]
        contrast = float(np.median([row["contrast"] for row in some]))
        given = None if kind.kind in NATURAL else contrast
        sizes = np.geomspace(kind.pod.sizes.min(), kind.pod.sizes.max(), POINTS)
        bands = [None if kind.is_flat else kind.pod.band(float(size), given) for size in sizes]
        made[real] = {
            "like": kind.kind,
            "contrast": given,
            "size": sizes.tolist(),
            "share": [predict(kind, float(size), contrast) for size in sizes],
            "band": None if kind.is_flat else bands,
        }
    return made


def draw_shares(records: Sequence[Record], path: Path) -> None:
    """Plot observed against predicted shares, a panel for each record."""
    figure = Figure(figsize=(4.2 * len(records), 4.6), dpi=DPI, layout="constrained")
    axes = figure.subplots(1, len(records), squeeze=False)[0]
    for axis, record in zip(axes, records):
        for (kind, some), colour in zip(by_kind(record["real"]).items(), COLOURS):
            rows = sorted(some, key=lambda row: row["predicted"])
            bins = [some for some in np.array_split(np.arange(len(rows)), BINS) if len(some)]
            x = [np.mean([rows[place]["predicted"] for place in some]) for some in bins]
            y = [np.mean([rows[place]["found"] for place in some]) for some in bins]
            n = np.array([len(some) for some in bins])
            error = np.sqrt(np.multiply(y, np.subtract(1, y)) / n)
            label = f"{kind} ({len(rows)})"
            axis.errorbar(x, y, error, fmt="o", color=colour, label=label)
        axis.plot([0, 1], [0, 1], ":", color="0.6")
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", title=title(record))
        axis.set(xlabel="predicted share found", ylabel="observed share found")
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def draw_curves(records: Sequence[Record], path: Path) -> None:
    """Plot the curves with real defects laid over: a row for each record, a panel for each kind."""
    columns = max(len(record["curves"]) for record in records)
    figure = Figure(figsize=(2.4 * columns, 2.5 * len(records)), dpi=DPI, layout="constrained")
    axes = figure.subplots(len(records), columns, squeeze=False)
    for row, record in zip(axes, records):
        for axis in row[len(record["curves"]) :]:
            axis.remove()
        row[0].set_ylabel(f"{title(record)}\nshare found", fontsize=9)
        for axis, (kind, rows) in zip(row, by_kind(record["real"]).items()):
            draw_curve(axis, record, kind, rows)
    save(figure, path)


def draw_curve(axis: Axes, record: Record, kind: str, rows: Sequence[Record]) -> None:
    """Draw one panel: real defects that were found are at the top, missed ones at the bottom."""
    curve, figures = record["curves"][kind], record["per_defect"][kind]
    if curve["band"]:
        axis.fill_between(curve["size"], *zip(*curve["band"]), color=COLOURS[0], alpha=0.2, lw=0)
    axis.plot(curve["size"], curve["share"], color=COLOURS[0])
    apart = np.random.default_rng(0).uniform(0, 0.12, len(rows))  # so that all can be seen
    sizes = np.array([row["size"] for row in rows])
    for found, colour, level in ((True, COLOURS[2], 1.04), (False, COLOURS[1], -0.16)):
        here = np.array([row["found"] == found for row in rows])
        axis.plot(sizes[here], level + apart[here], ".", color=colour, ms=5, alpha=0.6)
    like = curve["like"]
    if curve["contrast"] is not None:
        like += f", {curve['contrast'] * GREY:.0f} grey levels"
    shares = f"{figures['predicted']:.0%} predicted, {figures['found']:.0%} found"
    axis.set_title(f"{kind} ({len(rows)})\nas {like}\n{shares}", fontsize=8)
    shown = [size for size in TICKS if size <= max(*sizes, *curve["size"])]
    axis.set(xscale="log", xlim=(TICKS[0], None), ylim=(-0.18, 1.18), yticks=[0, 0.5, 1])
    axis.set_xticks(shown, [str(size) for size in shown])
    axis.set_xticks([], minor=True)
    axis.tick_params(labelsize=7)
    axis.spines[["top", "right"]].set_visible(False)


def title(record: Record) -> str:
    """Name of a record in plots."""
    return f"{record['dataset']}, {record['long_side']} px"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--set", nargs="+", default=[], help="settings, section.key=value")
    parser.add_argument("--per-kind", type=int, default=100)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    out = RESULTS / f"{STUDY}.jsonl"
    config = ", ".join(["default", *FIXED, *options.set])
    for name in options.sets:
        if (name, config) not in {(one["dataset"], one["config"]) for one in read_records(out)}:
            record = compare(name, options.set, options.per_kind, options.device)
            append_record(out, record)
            for kind, row in record["per_defect"].items():
                print(f"{title(record)}: {kind}: {row}", flush=True)
    records = sorted(read_records(out), key=title)
    draw_shares(records, RESULTS / f"{STUDY}.png")
    draw_curves(records, RESULTS / "limits_pod.png")


if __name__ == "__main__":
    main()
