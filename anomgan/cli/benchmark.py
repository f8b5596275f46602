"""`anomgan benchmark`: measures detectors on labelled data, and writes tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from anomgan.cli.options import Device, Groups, Ray
from anomgan.cli.say import argument, say

if TYPE_CHECKING:
    from anomgan.evaluation.sets import DataSet

app = typer.Typer(
    no_args_is_help=True,
    help="Measure detectors on labelled data. Each result is saved when it is finished, so a run "
    "that is started again continues where it stopped.",
)

RESULTS = Path("anomgan-benchmark/results.jsonl")

Data = Annotated[Path, typer.Option(help="Folder of the data.")]
Detectors = Annotated[
    str,
    typer.Option(
        help="Detectors, separated by commas, or all (also the baselines). Default: all, or with "
        "--config only those of the settings files."
    ),
]
Configs = Annotated[
    list[Path] | None,
    typer.Option(
        "--config",
        help="Settings file of a detector, or the name of a shipped one. May be repeated.",
    ),
]
Assignments = Annotated[
    list[str] | None, typer.Option("--set", help="A setting for all detectors. May be repeated.")
]
Categories = Annotated[str, typer.Option(help="Categories, separated by commas. Default: all.")]
Seeds = Annotated[str, typer.Option(help="Seeds, separated by commas.")]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="Use only this many test images of each kind. Default: all."),
]
Workers = Annotated[int, typer.Option(min=1, help="Number of processes; they share the cores.")]
Out = Annotated[Path, typer.Option(help="File to append the results to, .jsonl.")]


@app.command()
def mnist(
    data: Data,
    protocol: Annotated[
        Literal["one-class", "leave-one-out"],
        typer.Option(help="one-class: one digit is normal; leave-one-out: one is anomalous."),
    ] = "one-class",
    detectors: Detectors = "",
    config: Configs = None,
    assignments: Assignments = None,
    categories: Categories = "",
    seeds: Seeds = "0",
    limit: Limit = None,
    workers: Workers = 1,
    out: Out = RESULTS,
    device: Device = "auto",
    ray: Ray = None,
) -> None:
    """Measure detectors on MNIST (MNIST/raw/*-ubyte), one digit against the others."""
    from anomgan.evaluation.benchmark import MNIST_VIEW
    from anomgan.evaluation.sets import DataSet

    source = DataSet("mnist", data, protocol, limit)
    given = (detectors, config or [], assignments or [], categories, seeds)
    _run(source, given, workers, out, device, ray, MNIST_VIEW)


@app.command()
def mvtec(
    data: Data,
    layout: Annotated[
        Literal["mvtec", "visa", "btad"],
        typer.Option(help="Layout of the folder, as the data set is downloaded."),
    ] = "mvtec",
    detectors: Detectors = "",
    config: Configs = None,
    assignments: Assignments = None,
    categories: Categories = "",
    seeds: Seeds = "0",
    limit: Limit = None,
    workers: Workers = 1,
    out: Out = RESULTS,
    device: Device = "auto",
    ray: Ray = None,
) -> None:
    """Measure detectors on MVTec AD, VisA or BTAD, as downloaded."""
    from anomgan.evaluation.sets import DataSet

    source = DataSet(layout, data, "as published", limit)
    given = (detectors, config or [], assignments or [], categories, seeds)
    _run(source, given, workers, out, device, ray)


@app.command()
def folder(
    data: Data,
    groups: Groups = None,
    detectors: Detectors = "",
    config: Configs = None,
    assignments: Assignments = None,
    seeds: Seeds = "0",
    limit: Limit = None,
    workers: Workers = 1,
    out: Out = RESULTS,
    device: Device = "auto",
    ray: Ray = None,
) -> None:
    """Measure detectors on your own parts.

    The folder holds train/good, test/good, test/<defect>, and ground_truth/<defect> if any.
    """
    from anomgan.evaluation.sets import DataSet

    source = DataSet("folder", data, "split by folder", limit, groups)
    given = (detectors, config or [], assignments or [], "", seeds)
    _run(source, given, workers, out, device, ray)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="File of results, .jsonl.")] = RESULTS,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for report.md and its pictures. Default: beside the file of results."
        ),
    ] = None,
    readme: Annotated[
        Path | None,
        typer.Option(
            help="Markdown file in which to update the tables between <!-- table STUDY [FIGURE] "
            "--> and <!-- end -->, from STUDY.jsonl beside RESULTS."
        ),
    ] = None,
) -> None:
    """Write tables with mean and spread over seeds, ROC curves, and paired comparisons."""
    from anomgan.evaluation.tables import renew_tables, write_report

    if readme:
        renew_tables(readme, results.parent)
        say(f"Renewed the tables of {readme}")
    say(f"Report: {write_report(results, out or results.with_suffix('.report'))}")


def _run(
    source: "DataSet",
    given: tuple[str, list[Path], list[str], str, str],
    workers: int,
    out: Path,
    device: str,
    ray: str | None,
    base: Mapping[str, Any] | None = None,
) -> None:
    from anomgan.detectors import METHODS
    from anomgan.errors import InputError, Interrupted
    from anomgan.evaluation.benchmark import contenders, plan, run_benchmark

    detectors, configs, assignments, categories, seeds = given
    names = _split(detectors)
    if names == ["all"] or not (names or configs):
        names = list(METHODS)
    try:
        numbers = [int(seed) for seed in _split(seeds)]
    except ValueError:
        raise InputError(f"--seeds {seeds}: write numbers with commas between") from None
    chosen = contenders(names, configs, assignments, base or {})
    cells = plan(out.stem, source, chosen, numbers, _split(categories))
    try:
        failed = run_benchmark(cells, out, workers=workers, device=device, ray=ray, say=say)
    except (KeyboardInterrupt, Interrupted):
        raise Interrupted(
            f"stopped; the results so far are in {out}; to continue, run the same command again"
        ) from None
    say(f"Records: {out}")
    say(f"Tables and curves: anomgan benchmark report {argument(out)}")
    if failed:
        raise typer.Exit(3)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
