"""What the studies of generators share: trained models that are kept, and their records."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from study import RESULTS, ROOT

from anomgan.benchmark.records import append_record, environment
from anomgan.config import read_toml
from anomgan.generators import load_generator, train_generator
from anomgan.generators.model import TrainedGenerator
from anomgan.generators.train import Images

MODELS = ROOT / "benchmarks" / "models"
"""Trained models, not a part of the repository; what is there is not trained again."""


def trained(study: str, config: str, images: Images, device: str) -> TrainedGenerator:
    """The generator of configs/generators/<config>.toml, trained on `images` or found trained."""
    folder = MODELS / study / config
    if not (folder / "model.json").exists():
        work = folder.with_name(f"{config}.training")
        values = read_toml(ROOT / "configs" / "generators" / f"{config}.toml")
        model = train_generator(
            images, device=device, work_folder=work, resume=True, samples_every=500, **values
        )
        model.save(folder)
    return load_generator(folder, device)


def keep(study: str, model: TrainedGenerator, config: str, figures: Mapping[str, Any]) -> None:
    """Append the record of a model to benchmarks/results/<study>.jsonl.

    The curves of its training are kept in benchmarks/results/generators/.
    """
    curves = MODELS / study / config / "losses.png"
    if curves.exists():
        kept = RESULTS / "generators" / f"{config}.png"
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(curves, kept)
    settings = model.settings
    record = {
        "study": study,
        "generator": settings.generator,
        "config": f"{config}.toml",
        "seed": settings.seed,
        "size": settings.view.size,
        "n_train": model.facts["images"],
        **figures,
        "fit_seconds": model.facts["seconds"],
        "fit_steps": model.facts["steps"],
        **environment(model.device),
    }
    append_record(RESULTS / f"{study}.jsonl", record)


def picture(name: str) -> Path:
    """Where a picture of a study is kept."""
    return RESULTS / name
