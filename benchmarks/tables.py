"""Writes the tables of README.md and docs/ from the records in benchmarks/results/.

A table stands between its markers, <!-- table STUDY [FIGURE] --> and <!-- end -->.

    python benchmarks/tables.py
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from features import SETS
from study import RESULTS, ROOT

from anomgan.evaluation.records import Record, read_records
from anomgan.evaluation.tables import fill_tables, markdown, spread, study_table

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COSTS = {
    "fit_seconds": ("fit, s", ".0f"),
    "fit_megabytes": ("fit, MB", ".0f"),
    "score_ms_median": ("score, ms", ".0f"),
    "score_megabytes": ("score, MB", ".0f"),
    "model_megabytes": ("model, MB", ".1f"),
}
"""What a detector costs beside its peers: the mean over the sets."""
ALARMS = "false alarms (1% promised)"
NAMES = (
    *("dataset", "fault", "detector", "photographs", "generator", "config", "space", "restarts"),
    *("figure", "precision", "seed", "size", "work", "amount", "engine"),
)
"""Keys that identify a record of a study; if several records share them, the last one counts."""
COLUMNS = {
    "detector_memory": {
        "detector": ("detector", ""),
        "fit_megabytes": ("fit, MB", ".0f"),
        "score_megabytes": ("score, MB", ".0f"),
    },
    "latency": {
        "detector": ("detector", ""),
        "ms_per_image_one_by_one": ("one at a time", ".2f"),
        "ms_per_image_together": ("64 together", ".2f"),
    },
    "peers": {
        "figure": ("images per second, where it says nothing else", ""),
        "precision": ("precision", ""),
        "ours": ("anomgan", ".1f"),
        "theirs": ("anomalib", ".1f"),
        "ratio": ("ratio", ".2f"),
        "ratio_lowest": ("lowest", ".2f"),
        "ratio_highest": ("highest", ".2f"),
        "bar": ("goal", ".1f"),
    },
    "mnist_generators": {
        "generator": ("generator", ""),
        "fid_classifier": ("FID (classifier)", ".2f"),
        "kid_classifier": ("KID (classifier)", ".4f"),
        "diversity_classifier": ("diversity (classifier)", ".3f"),
        "obeys": ("shows the digit asked for", ".1%"),
        "fit_steps": ("steps", ""),
        "fit_seconds": ("fit, s", ".0f"),
    },
    "translate_tiles": {
        "generator": ("generator", ""),
        "config": ("settings", ""),
        "l1_input": ("L1: input", ".3f"),
        "l1_histogram": ("histogram", ".3f"),
        "l1_translation": ("translated", ".3f"),
        "ssim_input": ("SSIM: input", ".3f"),
        "ssim_histogram": ("histogram", ".3f"),
        "ssim_translation": ("translated", ".3f"),
        "sees_asked_truth": ("lighting seen: in the truth", ".1%"),
        "sees_asked_translation": ("translated", ".1%"),
        "sees_neighbour_translation": ("or its neighbour", ".1%"),
        "contrast_left": ("contrast of defects left", ".2f"),
        "defects_kept": ("defects kept", ".1%"),
    },
    "translate_weather": {
        "generator": ("generator", ""),
        "size": ("px", ""),
        "fit_steps": ("steps", ""),
        "sees_asked": ("domain seen", ".1%"),
        "sees_asked_pair": ("shine and sunrise alone", ".1%"),
        "lite0_perceptual_to_input": ("distance to the input", ".3f"),
        "lite0_perceptual_to_other": ("to another image", ".3f"),
        "kid_classifier": ("KID (classifier)", ".3f"),
        "kid_classifier_input": ("of the input", ".3f"),
        "diversity_classifier_latent": ("diversity: drawn", ".3f"),
        "diversity_classifier_reference": ("shown", ".3f"),
        "diversity_classifier_real": ("real", ".3f"),
    },
    "joint_labels": {
        "generator": ("generator", ""),
        "colour_asked_is_seen": ("colour asked is seen", ".1%"),
        "stroke_stays_under_new_colour": ("stroke stays", ".1%"),
        "stroke_asked_is_seen": ("stroke asked is seen", ".1%"),
        "colour_stays_under_new_stroke": ("colour stays", ".1%"),
        "digit_stays": ("digit stays", ".1%"),
    },
    "lighting": {
        "detector": ("detector", ""),
        "photographs": ("photographs", ""),
        "image_auroc": ("AUROC", ".3f"),
        "false_alarm_rate_observed": ("false alarms", ".1%"),
        "found": ("defects found", ".1%"),
    },
    "defect_synthesis": {
        "generator": ("generator", ""),
        "seen_defective_good": ("seen: good", ".1%"),
        "seen_defective_kept": ("taken to good", ".1%"),
        "seen_defective_made": ("made", ".1%"),
        "seen_defective_learnt": ("real", ".1%"),
        "auroc_nearest_learnt": ("AUROC of nearest: real", ".3f"),
        "auroc_nearest_made": ("made", ".3f"),
        "auroc_autoencoder_learnt": ("of autoencoder: real", ".3f"),
        "auroc_autoencoder_made": ("made", ".3f"),
    },
    "contamination": {
        "dataset": ("set", ""),
        "config": ("bad parts", ""),
        "image_auroc": ("AUROC", ".3f"),
        "found": ("defects called", ".1%"),
        "false_alarms": ("false alarms", ".1%"),
        "planted": ("planted", ""),
        "planted_and_dropped": ("of them left out", ""),
    },
    "few_images": {
        "dataset": ("set", ""),
        "images": ("images", ""),
        "seed": ("seed", ""),
        "augment": ("augment", ""),
        "copies": ("copies", ""),
        "image_auroc": ("AUROC", ".3f"),
        "detected_0.05": ("defects called at 5%", ".0%"),
        "false_alarms_0.05": ("false alarms", ".1%"),
    },
    "promise": {
        "dataset": ("set", ""),
        "images": ("images", ""),
        "method": ("method", ""),
        "observed_0.01": ("1% promised", ".1%"),
        "observed_0.01_sd": ("±", ".1%"),
        "observed_0.05": ("5% promised", ".1%"),
        "observed_0.05_sd": ("±", ".1%"),
        "observed_0.1": ("10% promised", ".1%"),
        "observed_0.1_sd": ("±", ".1%"),
        "image_auroc": ("AUROC", ".3f"),
        "image_auroc_sd": ("±", ".3f"),
    },
    "line_faults": {
        "fault": ("fault", ""),
        "tried": ("times tried", ",d"),
        "outcome": ("outcome", ""),
    },
    "station_load": {
        "answers": ("answers", ",d"),
        "different_answers": ("not those of `score`", ",d"),
        "turned_away": ("turned away", ",d"),
        "ms_command_line": ("ms: `score`", ".0f"),
        "ms_median": ("median", ".0f"),
        "ms_95th": ("95th percentile", ".0f"),
        "megabytes_at_start": ("MB: at first", ".0f"),
        "megabytes_at_end": ("after the load", ".0f"),
        "damaged": ("damaged uploads", ",d"),
        "damaged_scored": ("scored", ",d"),
        "damaged_refused": ("refused in words", ",d"),
        "damaged_failed": ("errors of the station", ",d"),
        "damaged_megabytes_at_end": ("MB after them", ".0f"),
    },
    "station_soak": {
        "minutes": ("minutes", ".0f"),
        "faults": ("faults", ",d"),
        "frames_shown": ("frames: shown", ",d"),
        "rows": ("rows", ",d"),
        "frames_dropped": ("said to be dropped", ",d"),
        "uploads": ("uploads", ",d"),
        "uploads_wrong": ("answered otherwise", ",d"),
        "uploads_lost": ("not answered", ",d"),
        "parts": ("parts for review", ",d"),
        "parts_saved": ("saved", ",d"),
        "parts_dropped": ("said to be dropped", ",d"),
        "answers": ("a person's answers", ",d"),
        "answers_lost": ("lost", ",d"),
    },
    "scale": {
        "work": ("what grows", ""),
        "amount": ("to", ",g"),
        "cpu_seconds": ("seconds of one core", ".0f"),
        "ms_per_image": ("ms per image", ".0f"),
        "peak_megabytes": ("peak MB", ".0f"),
    },
    "engines": {
        "engine": ("engine", ""),
        "ms_median": ("ms, median", ".0f"),
        "ms_95th": ("95th percentile", ".0f"),
        "processor_ms_median": ("ms of processor, median", ".0f"),
        "threads": ("threads", ""),
        "score_difference": ("scores differ by", ".1e"),
        "same_verdicts": ("same verdicts", ".0%"),
    },
    "projection": {
        "generator": ("generator", ""),
        "space": ("space", ""),
        "restarts": ("starts", ""),
        "search_steps": ("steps", ""),
        "search_seconds": ("seconds", ".0f"),
        "l1": ("L1", ".4f"),
    },
}
"""The figures of each study in order, with heading and format."""


def main() -> None:
    for page in PAGES:
        page.write_text(fill_tables(page.read_text(encoding="utf-8"), table), encoding="utf-8")


def table(study: str, figure: str | None) -> str:
    """Make the table of a study; studies that do not measure detection have their own columns."""
    if study == "features":
        return _features(figure or "image_auroc")
    if study == "features_variants":
        return _features(figure or "image_auroc", variants=True)
    if study == "peers_features":
        return _peers()
    if study == "unseen":
        return _unseen()
    if study == "limits_check":
        return _real_limits() if figure == "real" else _drawn_limits()
    results = RESULTS / f"{study}.jsonl"
    if study not in COLUMNS:
        return study_table(results, figure)
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    columns = COLUMNS[study]
    if study == "scale":  # cells may have been measured in any order
        works = list(dict.fromkeys(line["work"] for line in lines))
        lines.sort(key=lambda line: (works.index(line["work"]), line["amount"]))
    latest = {tuple(line.get(name) for name in NAMES): line for line in lines}
    rows = [
        [_cell(line.get(name), form) for name, (_, form) in columns.items()]
        for line in latest.values()
        if sum(line.get(name) is not None for name in columns) > 1
    ]
    return markdown([head for head, _ in columns.values()], rows)


def _features(figure: str, variants: bool = False) -> str:
    """Make a table of a figure on each data set in feature space: mean over seeds, best first.

    Rows are the methods with their defaults; or with `variants`, the changed settings.
    """
    records = [r for r in read_records(RESULTS / "features.jsonl") if "error" not in r]
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        changes = _changes(record)
        if bool(changes) == variants:
            found[" ".join([record["detector"], *changes])][record["category"]].append(record)
    rows = []
    for name, cells in found.items():
        values = [[r[figure] for r in cells[one] if r[figure] is not None] for one in SETS]
        means = [fmean(some) for some in values if some]
        mean = f"**{fmean(means):.3f}**" if len(means) == len(SETS) else ""
        every = [record for some in cells.values() for record in some]
        observed = fmean(r["false_alarm_rate_observed"] for r in every)
        promised = fmean(r["false_alarm_rate_target"] for r in every)
        alarms = f"{observed:.1%} ({promised:.1%})"
        order = (len(means), fmean(means or [0.0]))
        rows.append((order, [name, *map(spread, values), mean, alarms]))
    heads = ["detector", *SETS, "mean", "false alarms (promised)"]
    return markdown(heads, [row for _, row in sorted(rows, reverse=True)])


def _unseen() -> str:
    """Make the table of the sets that no setting was chosen on: methods side by side, one seed.

    The default has two columns: now, and before the defaults that these sets led to.
    """
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in read_records(RESULTS / "unseen.jsonl"):
        name = record["detector"]
        if _changes(record):
            name += ", before"
        found[record["category"]][name] = record
    names = ["ganomaly", "ganomaly, before", "coreset", "eigenmaps"]
    rows = []
    for category, cells in sorted(found.items()):
        ours = cells["ganomaly"]
        counts = [ours["n_calibration"], ours["n_test_normal"], ours["n_test_anomalous"]]
        figures = [_with_interval(cells[name]) for name in names]
        shares = [f"{ours[key]:.0%}" for key in ("false_alarm_rate_observed", "detected")]
        promised = f"{shares[0]} ({ours['false_alarm_rate_target']:.0%})"
        aupro = _cell(ours["pixel_aupro_0.3"], ".3f")
        rows.append([category, *map(str, counts), *figures, promised, shares[1], aupro])
    every = [[cells[name]["image_auroc"] for cells in found.values()] for name in names]
    rows.append(["mean", "", "", "", *(f"**{fmean(some):.3f}**" for some in every), "", "", ""])
    heads = ["set", "learnt", "good", "defective", *names, "false alarms (promised)"]
    return markdown([*heads, "defects called", "AUPRO"], rows)


def _peers() -> str:
    """Make the table of our default beside its peers: AUROC on each set, costs, false alarms.

    The mean is over the sets that PatchCore was measured on at its default size.
    """
    found: dict[str, dict[str, Record]] = defaultdict(dict)
    for record in read_records(RESULTS / "peers_features.jsonl"):
        found[record["detector"]][record["dataset"]] = record
    common = next(list(cells) for name, cells in found.items() if name.endswith("random:0.1"))
    rows = []
    for name, cells in found.items():
        each = [_with_interval(cells[one]) if one in cells else "" for one in SETS]
        aurocs = [cells[one]["image_auroc"] for one in common if one in cells]
        mean = f"**{fmean(aurocs):.3f}**" if len(aurocs) == len(common) else ""
        costs = [
            _mean([cell.get(key) for cell in cells.values()], form)
            for key, (_, form) in COSTS.items()
        ]
        rows.append([name, *each, mean, *costs, _mean(_alarms(name, cells, common), ".1%")])
    heads = ["detector", *SETS, "mean but tiles", *(head for head, _ in COSTS.values()), ALARMS]
    return markdown(heads, rows)


def _alarms(name: str, cells: dict[str, Record], sets: Sequence[str]) -> list[float | None]:
    """False alarms at 1% promised; ours are those of the study on features, with all seeds."""
    if name == "ganomaly":
        study = read_records(RESULTS / "features.jsonl")
        cells_of = [r for r in study if r["detector"] == name and "error" not in r]
        ours = [r for r in cells_of if not _changes(r) and r["category"] in sets]
        return [r["false_alarm_rate_observed"] for r in ours]
    return [cells[one].get("false_alarm_rate_observed") for one in sets if one in cells]


def _drawn_limits() -> str:
    """Make the table of the limits of each drawn kind at each size of the images."""
    found: dict[tuple[str, str], dict[int, Record]] = defaultdict(dict)
    for record in read_records(RESULTS / "limits_check.jsonl"):
        for kind, drawn in record["drawn"].items():
            found[record["dataset"], kind][record["long_side"]] = drawn
    sides = sorted({side for cells in found.values() for side in cells})
    rows = []
    for (name, kind), cells in found.items():
        figures = [_limits(cells.get(side)) for side in sides]
        rows.append([name, kind, *(one for some in figures for one in some)])
    heads = [f"{side} px: {head}" for side in sides for head in ("found", "a50", "a90", "a90/95")]
    return markdown(["set", "drawn", *heads], rows)


def _limits(drawn: Record | None) -> list[str]:
    """How many were found, and the limits in pixels; or why there are none."""
    if drawn is None:
        return [""] * 4
    found = f"{drawn['found']} of {drawn['drawn']}"
    if drawn["a90"] is None:
        return [found, drawn["no_curve_because"], "", ""]
    signs = {"above": "> ", "below": "< ", None: ""}
    bounds = (drawn[name] for name in ("a50", "a90", "a90_95"))
    return [found, *(f"{signs[one['beyond']]}{one['px']:.0f}" for one in bounds)]


def _real_limits() -> str:
    """Make the table of predicted and observed shares of each real kind."""
    rows = []
    for record in sorted(read_records(RESULTS / "limits_check.jsonl"), key=lambda r: r["dataset"]):
        for kind, one in record["per_defect"].items():
            curve = record["curves"][kind]
            beyond = [r["size"] > max(curve["size"]) for r in record["real"] if r["kind"] == kind]
            shares = [f"{one[name]:.0%}" for name in ("predicted", "found", "alarm")]
            sizes = [f"{one['median_size']:.0f}", f"{fmean(beyond):.0%}"]
            name = f"{record['dataset']}, {record['long_side']} px"
            rows.append([name, kind, curve["like"], str(one["n"]), *sizes, *shares])
    heads = ["set", "real defects", "drawn as", "number", "median size, px", "larger than drawn"]
    return markdown([*heads, "predicted", "found", "alarm"], rows)


def _mean(values: Sequence[float | None], form: str) -> str:
    """Format the mean of what was measured; times are not, if the machine had other work."""
    measured = [value for value in values if value is not None]
    return format(fmean(measured), form) if measured else ""


def _with_interval(record: Record) -> str:
    low, high = record["image_auroc_95"]
    return f"{record['image_auroc']:.3f} ({low:.3f} to {high:.3f})"


def _changes(record: Record) -> list[str]:
    """Describe the changed settings, without the file of the weights and what the text says."""
    changed = re.split(r", (?=[a-z_.]+=)", record["config"])[1:]
    plain = ["space=features", "backbone.weights="]
    if "calibration.method=held-out" in changed:
        plain += ["training.learning_rate=0.0005", "network.features=512"]
    return [change for change in changed if not change.startswith(tuple(plain))]


def _cell(value: str | float | None, form: str) -> str:
    return "" if value is None else format(value, form)


if __name__ == "__main__":
    main()
