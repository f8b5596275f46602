"""Shared by the studies: paths, contenders, and command-line options."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomgan.config_files import read_toml
from anomgan.config_values import merge
from anomgan.detectors import METHODS
from anomgan.detectors.base import Detector
from anomgan.evaluation.benchmark import Contender, contenders, plan, run_benchmark
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


def parts_table(name: str) -> Path | None:
    """The table of images of a data set that show one part; None for most sets, which have none."""
    table = DATA / name / "tiles.csv"
    return table if table.exists() else None


def with_settings(kind: str, names: Sequence[str]) -> list[Contender]:
    """Make contenders from the settings files `configs/<name>_<kind>.toml`."""
    files = [f"{name.replace('-', '_')}_{kind}.toml" for name in names]
    return contenders([], [ROOT / "configs" / file for file in files], [], {})


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
