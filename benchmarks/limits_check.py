"""Are detection limits true? Real defects with masks against the limits of drawn ones.

    python benchmarks/limits_check.py

For each data set, `--models` holds a model folder of that name, which `anomgan fit` made of its
train/good with --set calibration.method=held-out. Defects are drawn on the held-out images. Then
each real defect gets the probability to be found that its size and contrast have among drawn
defects of its kind, and these are compared with how many were found.
Each data set is one record; what is there
already is not measured again.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from study import DATA, MODELS, RESULTS

from anomgan.data.decode import read_image, to_uint8, with_channels
from anomgan.data.folders import list_images
from anomgan.data.public_sets import LabelledImage, read_mask, read_test
from anomgan.detectors import load
from anomgan.evaluation.limits import Bench, Limits, run_trials
from anomgan.evaluation.limits.defects import GREY, KINDS, measure
from anomgan.evaluation.limits.limits import KindLimits
from anomgan.evaluation.records import append_record, environment, read_records
from anomgan.machine.progress import progress_bar
from anomgan.pictures.canvas import COLOURS, DPI, save

STUDY = "limits_check"
SETS = ("screw", "magnetic_tile", "pipe_staple")
LIKE = {
    "manipulated_front": "missing",
    "scratch_head": "scratch",
    "scratch_neck": "scratch",
    "thread_side": "pit",
    "thread_top": "pit",
    "blowhole": "pit",
    "break": "missing",
    "crack": "crack",
    "fray": "smear",
    "uneven": "stain",
    "missing": "missing",
}
"""The drawn kind that each real kind is most like."""
RING = 5
"""Width in pixels of the surroundings that a real defect is compared with."""
BINS = 3
"""Of each real kind, by the predicted probability."""


def real_defect(image: np.ndarray, mask: np.ndarray) -> tuple[float, float]:
    """Size and contrast of a real defect, measured as those of drawn ones are.

    What a good part would show is not known. The mean of a ring around the defect takes its place,
    and how much pixels of the ring differ from it is taken off.
    """
    pixels = with_channels(image, 3).astype(np.float32)
    side = 2 * RING + 1
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    ring = grown & ~mask
    around = pixels[ring] if ring.any() else pixels.reshape(-1, 3)
    inside, outside = (
        float(np.square(some - around.mean(axis=0)).mean()) for some in (pixels[mask], around)
    )
    change = np.sqrt(abs(inside - outside))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    largest = labels == 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())
    size = measure(largest, np.array([change]))[0]
    return size, max(float(change) / GREY, 1 / GREY)


def predict(kind: KindLimits, size: float, contrast: float) -> float:
    """The probability that a drawn defect of this size and contrast is found."""
    if kind.pod.why_none in ("all found", "none found", "no trend"):
        return float(kind.pod.found.mean())
    return float(kind.pod.probability(np.array(size), np.array(contrast)))


def compare(name: str, models: Path, work: Path, per_kind: int, device: str) -> dict:
    """The record of one data set."""
    detector = load(models / name, device)
    folder = DATA / name / "train" / "good"
    bench = Bench.prepare(detector, list_images(folder), folder, None)
    defective = [image for image in read_test(DATA / name) if image.is_anomalous]
    wanted = {LIKE[image.kind] for image in defective}
    kinds = [kind for kind in KINDS if kind in wanted]
    trials = run_trials(bench, kinds, per_kind, work / name, resume=True)
    limits = {one.kind: one for one in Limits.of(kinds, trials).kinds}
    rows = []
    with progress_bar("real defects", len(defective)) as report:
        results = detector.score_each(image.source for image in defective)
        for done, (image, result) in enumerate(zip(defective, results), start=1):
            row = compare_one(image, detector.bits)
            if row is not None:
                size, contrast, mask = row
                alarm = result.score > result.threshold
                rows.append(
                    {
                        "kind": image.kind,
                        "size": size,
                        "contrast": contrast,
                        "predicted": predict(limits[LIKE[image.kind]], size, contrast),
                        "alarm": alarm,
                        "found": alarm and hottest_at(mask, result.heatmap, bench, result),
                    }
                )
            report(done)
    return {
        "study": STUDY,
        "dataset": name,
        "detector": detector.settings.detector,
        "seed": detector.settings.seed,
        "n_good": len(bench.paths),
        "per_kind": per_kind,
        "drawn": {kind: one.as_dict(None) for kind, one in limits.items()},
        "real": rows,
        **summary(rows),
        **environment(detector.device),
    }


def compare_one(image: LabelledImage, bits: int) -> tuple[float, float, np.ndarray] | None:
    """Size, contrast and mask of a real defect; None if its mask is empty."""
    pixels = to_uint8(read_image(str(image.source)), bits)
    mask = read_mask(image, (pixels.shape[0], pixels.shape[1]))
    if mask is None or not mask.any():
        return None
    return *real_defect(pixels, mask), mask


def hottest_at(mask: np.ndarray, heatmap: np.ndarray, bench: Bench, result) -> bool:
    """Whether the heatmap is hottest at a real defect, with the same play as for drawn ones."""
    reach = round(bench.near(heatmap, result))
    row, column = divmod(int(heatmap.argmax()), heatmap.shape[1])
    near = mask[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
    return bool(near.any())


def summary(rows: list[dict]) -> dict:
    """Predicted and observed share, of all and by kind."""
    kinds = sorted({row["kind"] for row in rows})
    groups = {kind: [row for row in rows if row["kind"] == kind] for kind in kinds}
    figures = {
        kind: {
            "n": len(some),
            **{name: float(np.mean([r[name] for r in some])) for name in ("predicted", "found")},
            "alarm": float(np.mean([r["alarm"] for r in some])),
            "median_size": float(np.median([r["size"] for r in some])),
            "median_contrast": float(np.median([r["contrast"] for r in some])),
        }
        for kind, some in groups.items()
    }
    return {
        "predicted": float(np.mean([row["predicted"] for row in rows])),
        "found": float(np.mean([row["found"] for row in rows])),
        "alarm": float(np.mean([row["alarm"] for row in rows])),
        "per_defect": figures,
    }


def draw(records: list[dict], path: Path) -> None:
    """Plot observed against predicted shares, a panel for each data set."""
    figure = Figure(figsize=(4.6 * len(records), 4.8), dpi=DPI)
    figure.set_layout_engine("constrained")
    axes = figure.subplots(1, len(records), squeeze=False)[0]
    for axis, record in zip(axes, records):
        for kind, colour in zip(record["per_defect"], COLOURS):
            rows = sorted(
                (row for row in record["real"] if row["kind"] == kind), key=lambda r: r["predicted"]
            )
            bins = [some for some in np.array_split(np.arange(len(rows)), BINS) if len(some)]
            x = [np.mean([rows[place]["predicted"] for place in some]) for some in bins]
            y = [np.mean([rows[place]["found"] for place in some]) for some in bins]
            n = np.array([len(some) for some in bins])
            error = np.sqrt(np.multiply(y, np.subtract(1, y)) / n)
            axis.errorbar(x, y, error, fmt="o", color=colour, label=f"{kind} ({len(rows)})")
        axis.plot([0, 1], [0, 1], ":", color="0.6")
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal", title=record["dataset"])
        axis.set(
            xlabel="share found, predicted from drawn defects", ylabel="share found, real ones"
        )
        axis.legend(frameon=False, fontsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--work", type=Path, default=Path("limits_work"), help="for drawn trials")
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--per-kind", type=int, default=300)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    out = RESULTS / f"{STUDY}.jsonl"
    for name in options.sets:
        if name not in {record["dataset"] for record in read_records(out)}:
            record = compare(name, options.models, options.work, options.per_kind, options.device)
            append_record(out, record)
    records = read_records(out)
    draw(records, out.with_suffix(".png"))
    for record in records:
        for kind, row in record["per_defect"].items():
            print(f"{record['dataset']}: {kind}: {row}")


if __name__ == "__main__":
    main()
