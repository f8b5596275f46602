"""Shared by the studies: paths, contenders, and command-line options."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anomgan.config import merge
from anomgan.config_files import read_toml
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
