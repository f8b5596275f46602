"""Markdown tables, ROC curves and comparisons from the records of a benchmark."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from anomgan.data.own_files import MARKDOWN, refuse_to_overwrite
from anomgan.errors import InputError
from anomgan.evaluation.records import Record, read_records, scores_path
from anomgan.machine.files import atomic_path
from anomgan.metrics.detection import auroc, roc_points
from anomgan.metrics.intervals import compare_auroc
from anomgan.pictures import save_roc

FIGURES = ("image_auroc", "image_ap", "pixel_auroc", "pixel_aupro_0.3")
MARKER = r"(<!-- table (\S+)(?: (\S+))? -->\n).*?(\n?<!-- end -->)"


def category_table(records: Sequence[Record], figure: str = "image_auroc") -> str:
    """Detectors by categories, and the mean where no category is missing; best first.

    Over several seeds, mean and standard deviation.
    """
    columns = sorted({record["category"] for record in records}, key=_natural)
    rows = []
    for name, some in _by_contender(records).items():
        values = [[r[figure] for r in some if r["category"] == column] for column in columns]
        mean = _mean([value for cell in values for value in cell]) if all(values) else None
        rows.append((mean, [name, *map(spread, values), _bold(mean)]))
    return markdown(["detector", *columns, "mean"], _best_first(rows))


def detail_table(records: Sequence[Record]) -> str:
    """All figures of one category, by kind of defect; best first."""
    kinds = sorted({kind for record in records for kind in record["per_defect"]})
    rows = []
    for name, some in _by_contender(records).items():
        of_kind = [[record["per_defect"][kind] for record in some] for kind in kinds]
        total = _mean([record["image_auroc"] for record in some])
        rows.append(
            (
                total,
                [
                    name,
                    *map(spread, of_kind),
                    _bold(total),
                    _interval(some),
                    *(spread([r[figure] for r in some]) for figure in FIGURES[1:]),
                    f"{np.mean([r['false_alarm_rate_observed'] for r in some]):.1%}",
                    f"{np.mean([r['fit_seconds'] for r in some]) / 60:.1f}",
                    f"{np.mean([r['score_ms_per_image'] for r in some]):.0f}",
                ],
            )
        )
    head = ["detector", *kinds, "all", "95% interval", "AP", "pixel AUROC", "AUPRO"]
    return markdown([*head, "false alarms", "fit, min", "score, ms"], _best_first(rows))


def comparison_table(records: Sequence[Record], results: Path) -> str:
    """The best detector against each other one, on the same images, seed by seed.

    Only where the scores of the images are beside the records.
    """
    found = _by_contender(records)
    best = max(found, key=lambda name: np.mean([r["image_auroc"] for r in found[name]]))
    first = {_place(record): record for record in found[best]}
    rows = []
    for name, some in found.items():
        for record in some:
            other = first.get(_place(record))
            if name == best or other is None:
                continue
            ours, theirs = _load(results, other), _load(results, record)
            if ours is None or theirs is None:
                continue
            (labels, a, groups), (same, b, _) = ours, theirs
            if not np.array_equal(labels, same):
                raise InputError(f"{best} and {name} were tested on different images")
            gain = compare_auroc(labels, a, b, groups)
            where = f"{record['category']}, seed {record['seed']}"
            interval = f"{gain.low:+.3f} to {gain.high:+.3f}"
            rows.append([name, where, f"{gain.mean:+.3f}", interval, f"{gain.p_value:.3f}"])
    head = [f"{best} against", "on", "AUROC gained", "95% interval", "p"]
    return markdown(head, rows)


def write_report(results: Path, out: Path) -> Path:
    """Write `<out>/report.md` with all tables, and the ROC curves of each category.

    Returns:
        The path of the report.

    Raises:
        InputError: there are no records, or the folder cannot be written to or holds another
            report.md.
    """
    every = read_records(results)
    records = _finished(every, results)
    report = out / "report.md"
    refuse_to_overwrite(report)
    parts = [MARKDOWN, f"# {results.stem}"]
    categories = sorted({record["category"] for record in records}, key=_natural)
    for figure in FIGURES:
        if len(categories) > 1 and all(record[figure] is not None for record in records):
            parts.append(f"## {figure}\n\n{category_table(records, figure)}")
    for category in categories:
        some = [record for record in records if record["category"] == category]
        parts.append(f"## {category}\n\n{detail_table(some)}")
        picture = f"roc_{category}.png"
        if _draw_roc(some, results, out / picture, category):
            parts.append(f"![ROC curves of {category}]({picture})")
            parts.append(comparison_table(some, results))
    failed = [f"- {r['category']}, {r['detector']}: {r['error']}" for r in every if "error" in r]
    if failed:
        parts.append("## Failed\n\n" + "\n".join(failed))
    with atomic_path(report) as temporary:
        temporary.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return report


def fill_tables(text: str, table: Callable[[str, str | None], str]) -> str:
    """Replace what stands between `<!-- table STUDY [FIGURE] -->` and `<!-- end -->`.

    Args:
        text: Markdown.
        table: makes a table of a study and a figure.
    """
    return re.sub(
        MARKER, lambda m: m[1] + table(m[2], m[3]) + "\n<!-- end -->", text, flags=re.DOTALL
    )


def study_table(results: Path, figure: str | None = None) -> str:
    """The table of a file of records: a figure by category, or all figures if it has but one.

    Raises:
        InputError: there are no records, or no such figure.
    """
    records = _finished(read_records(results), results)
    if figure is None and len({record["category"] for record in records}) == 1:
        return detail_table(records)
    figure = figure or "image_auroc"
    if figure not in records[0]:
        raise InputError(f"{results} has no figure {figure}")
    return category_table(records, figure)


def _finished(records: Sequence[Record], results: Path) -> list[Record]:
    """The records of a file without those of failures."""
    if not results.exists():
        raise InputError(f"there is no file {results}; make one with: anomgan benchmark")
    finished = [record for record in records if "category" in record and "error" not in record]
    if not finished:
        raise InputError(f"{results} holds no finished cells")
    return finished


def renew_tables(document: Path, folder: Path) -> None:
    """Write the tables of a Markdown file anew from the records in `folder`.

    Raises:
        InputError: the file cannot be read or written, or a study has no records.
    """
    try:
        text = document.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {document}: {error}") from error
    filled = fill_tables(text, lambda name, figure: study_table(folder / f"{name}.jsonl", figure))
    with atomic_path(document) as temporary:
        temporary.write_text(filled, encoding="utf-8")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(values: Sequence[float | None]) -> str:
    """The mean and, of several values, the sample deviation; empty if one is missing."""
    mean = _mean(values)
    if mean is None:
        return ""
    some = np.array(values, float)
    return f"{mean:.3f}" + (f" ± {some.std(ddof=1):.3f}" if len(some) > 1 else "")


def _by_contender(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by detector; where one competes in several settings, by these too."""
    settings: dict[str, set[str]] = {}
    for record in records:
        settings.setdefault(record["detector"], set()).add(record["settings"])
    found: dict[str, list[Record]] = {}
    for record in records:
        name = record["detector"]
        if len(settings[name]) > 1:
            name += f" ({record['config']})"
        found.setdefault(name, []).append(record)
    return found


def _place(record: Record) -> tuple[str, int]:
    return record["category"], record["seed"]


def _load(results: Path, record: Record) -> tuple[np.ndarray, np.ndarray, list[str] | None] | None:
    path = scores_path(results, record)
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as file:
        return file["labels"], file["scores"], file["groups"].tolist() or None


def _draw_roc(records: Sequence[Record], results: Path, path: Path, title: str) -> bool:
    curves = {}
    for name, some in _by_contender(records).items():
        loaded = _load(results, some[0])
        if loaded:
            labels, scores, _ = loaded
            curves[name] = (*roc_points(labels, scores), auroc(labels, scores))
    if curves:
        save_roc(path, dict(sorted(curves.items(), key=lambda item: -item[1][2])), title)
    return bool(curves)


def _best_first(rows: list[tuple[float | None, list[str]]]) -> list[list[str]]:
    return [row for _, row in sorted(rows, key=lambda pair: -(pair[0] or 0))]


def _interval(records: Sequence[Record]) -> str:
    both = [record.get("image_auroc_95") for record in records]
    if None in both:
        return ""
    low, high = np.array(both, float).mean(axis=0)
    return f"{low:.3f} to {high:.3f}"


def _mean(values: Sequence[float | None]) -> float | None:
    return None if not values or None in values else float(np.array(values, float).mean())


def _bold(value: float | None) -> str:
    return "" if value is None else f"**{value:.3f}**"


def _natural(name: str) -> tuple[float, str]:
    return (float(name) if name.isdigit() else float("inf")), name
