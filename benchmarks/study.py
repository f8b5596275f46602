"""Shared by the studies: paths, contenders, and command-line options."""

import argparse
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anomgan.config_files import read_toml
from anomgan.config_values import merge
from anomgan.detectors import METHODS
from anomgan.detectors.base import Detector
from anomgan.evaluation.benchmark import Contender, contenders, plan, run_benchmark
from anomgan.evaluation.records import Record, append_record, read_records
from anomgan.evaluation.sets import DataSet

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DATA = Path(os.environ.get("ANOMGAN_DATA", ROOT.parent / "shared" / "data"))
MODELS = ROOT / "benchmarks" / "models"
"""Trained models, not a part of the repository; what is there is not trained again."""
FAST = ("ganomaly", "egbad", "f_anogan")
"""GAN detectors that score an image in one forward pass."""
BASELINES = ("mean-image", "pca", "nearest", "autoencoder")
ON_FEATURES = (
    *("ganomaly", "f-anogan", "egbad", "anogan"),
    *("autoencoder", "coreset", "eigenmaps", "gaussian", "place-gaussian"),
)
"""Detectors and baselines that work on features."""
Cell = tuple[str, str, int | None, Callable[[], Record]]
"""A set, settings in words, a seed, and what measures them."""


def parts_table(name: str) -> Path | None:
    """The table of images of a data set that show one part; None for most sets, which have none."""
    table = DATA / name / "tiles.csv"
    return table if table.exists() else None


def with_settings(kind: str, names: Sequence[str]) -> list[Contender]:
    """Make contenders from the settings files `configs/<name>_<kind>.toml`."""
    files = [f"{name.replace('-', '_')}_{kind}.toml" for name in names]
    return contenders([], [ROOT / "configs" / file for file in files], [], {})


def with_parts_settings() -> list[Contender]:
    """Make all GAN detectors with their settings for parts, and the baselines."""
    return with_settings("parts", [*FAST, "anogan"]) + contenders(BASELINES, [], [], {})


def make(config: str, seed: int, device: str, changes: dict[str, Any] | None = None) -> Detector:
    """Make the detector of a settings file in configs/, with some settings changed."""
    values = merge(read_toml(ROOT / "configs" / config), changes or {}, {"seed": seed})
    return METHODS[values["detector"]].from_settings(values, device)


def run(
    description: str,
    study: str,
    *groups: tuple[DataSet, list[Contender]],
    categories: Sequence[str] = (),
) -> None:
    """Run all contenders on their data set, with the options of the command line."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--categories", nargs="+", default=categories)
    options = parser.parse_args()
    cells = [
        cell
        for data, chosen in groups
        for cell in plan(study, data, chosen, options.seeds, options.categories)
    ]
    out = RESULTS / f"{study}.jsonl"
    run_benchmark(cells, out, workers=options.workers, device=options.device)


def are_bad(paths: Iterable[Path]) -> np.ndarray:
    """Tell which images of a test folder show a defect, bool [n]."""
    return np.array([path.parent.name != "good" for path in paths])


def measure_once(study: str, cells: Iterable[Cell]) -> None:
    """Measure the cells of the default that have no record yet, and append each to the records."""
    out = RESULTS / f"{study}.jsonl"
    done = {(one["dataset"], one["config"], one.get("seed")) for one in read_records(out)}
    for dataset, config, seed, measure in cells:
        if (dataset, config, seed) in done:
            continue
        about = {"study": study, "dataset": dataset, "detector": "ganomaly", "config": config}
        record = about | ({} if seed is None else {"seed": seed}) | measure()
        append_record(out, record)
        print(json.dumps(record), flush=True)


def features_parser(description: str, methods: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser of a study on features; `run_on_features` takes what it returns."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=methods, help="names, or all")
    parser.add_argument("--sets", nargs="+", help="names of their folders")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="+", default=[], help="settings, section.key=value")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--device", default="auto")
    return parser


def run_on_features(study: str, sets: Sequence[DataSet], options: argparse.Namespace) -> None:
    """Run the methods of the options on each set, seed by seed."""
    names = ON_FEATURES if options.methods == ["all"] else options.methods
    chosen = contenders(names, [], ["space=features", *options.set], {})
    cells = [
        cell for seed in options.seeds for one in sets for cell in plan(study, one, chosen, [seed])
    ]
    out = RESULTS / f"{study}.jsonl"
    run_benchmark(cells, out, workers=options.workers, device=options.device)
