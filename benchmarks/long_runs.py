"""Trainings that need hours. Each is resumed where it was stopped, and ends as a record.

    python benchmarks/long_runs.py --status
    python benchmarks/long_runs.py --minutes 10

Works on the next unfinished trainings, on a GPU if there is one, for so many minutes. A finished
one is measured at once, even past that time: a record in results/long_runs.jsonl, and a picture of
its images beside it. FID and KID are in the features of the embedded network (lite0).
"""

import argparse
import shutil
import time
from _thread import interrupt_main
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any, Protocol

import numpy as np
from mnist_generators import read_digits
from study import DATA, MODELS, RESULTS, make
from tiles import TABLE, TILES, by_lighting

from anomgan.config_values import merge
from anomgan.data.labels import from_domains
from anomgan.data.normals import Source, read_source
from anomgan.detectors import load
from anomgan.errors import Interrupted
from anomgan.evaluation.classifier import classes_of
from anomgan.evaluation.evaluate import evaluate
from anomgan.evaluation.perceptual import BackboneDistance, BackboneFeatures
from anomgan.evaluation.quality import measure_samples, measure_translations
from anomgan.evaluation.records import Record, append_record, environment, read_records
from anomgan.evaluation.sets import DataSet
from anomgan.generators import TrainedGAN, TrainedTranslator, load_generator, train_generator
from anomgan.generators.registry import MethodName
from anomgan.model_files import CARD, SAMPLES
from anomgan.training.checkpoint import Checkpoint

STUDY = "long_runs"
COUNT = 2000
"""Images that are generated for a record, where there are as many real ones."""
PER_DOMAIN = 40
"""Images that a translator takes to each domain for a record."""
Images = Sequence[Source] | Mapping[str, Path | str | Sequence[Source]]
"""Images, or those of each domain."""


class LongRun(Protocol):
    """One training of the list."""

    name: str

    def train(self, folder: Path, work: Path, device: str) -> None:
        """Train or resume, with checkpoints in `work`; save the model in `folder`.

        Raises:
            Interrupted: it was stopped; a checkpoint is saved.
        """

    def measure(self, folder: Path, picture: Path, device: str) -> Record:
        """Measure a trained model, and save a picture."""


@dataclass(frozen=True)
class GeneratorRun:
    """A generator, measured on held-out images."""

    name: str
    method: MethodName
    learns: Callable[[], Images]
    held_out: Callable[[], Images]
    settings: Mapping[str, Any]

    def train(self, folder: Path, work: Path, device: str) -> None:
        train_generator(
            self.learns(),
            generator=self.method,
            device=device,
            work_folder=work,
            resume=True,
            **self.settings,
        ).save(folder)

    def measure(self, folder: Path, picture: Path, device: str) -> Record:
        model, network = load_generator(folder, device), BackboneFeatures(device)
        given = self.held_out()
        facts = {
            "generator": self.method,
            "size": model.settings.view.size,
            "n_train": model.facts["images"],
            "fit_steps": model.facts["steps"],
            "fit_seconds": model.facts["seconds"],
        }
        if isinstance(model, TrainedTranslator):
            assert isinstance(given, Mapping)
            found = from_domains(given)
            images = [model.preparation(read_source(one)) for one in found.sources]
            labels, names = classes_of(found)
            model.examples = [images[int(np.argmax(labels == number))] for number in set(labels)]
            distance = BackboneDistance(device) if model.method.has_styles else None
            domains = measure_translations(
                model, images, labels, names, network, PER_DOMAIN, distance
            )
            figures: Record = {"domains": domains}
        else:
            assert isinstance(model, TrainedGAN) and not isinstance(given, Mapping)
            prepared = [model.preparation(read_source(one)) for one in given]
            figures = dict(measure_samples(model, prepared, network, COUNT))
        model.draw_samples(picture, self.name)
        return facts | figures | environment(model.device)


@dataclass(frozen=True)
class DetectorRun:
    """A detector with the settings of a paper, measured on a data set."""

    name: str
    config: str
    data: DataSet

    def train(self, folder: Path, work: Path, device: str) -> None:
        parts = self.data.read(self.data.name)
        detector = make(self.config, 0, device)
        detector.fit(parts.normals, groups=self.data.groups, work_folder=work, resume=True)
        detector.save(folder)

    def measure(self, folder: Path, picture: Path, device: str) -> Record:
        detector = load(folder, device)
        test = self.data.read(self.data.name).test
        figures = evaluate(detector, test, self.data.groups).figures()
        shutil.copy(folder / SAMPLES, picture)
        facts = {
            "detector": detector.settings.detector,
            "n_train": detector.fitted.facts["training_images"],
            "fit_steps": detector.fitted.facts["steps"],
            "fit_seconds": detector.fitted.facts["seconds"],
        }
        return facts | figures | environment(detector.device)


def runs() -> list[LongRun]:
    """The list; what comes first is worked on first."""
    crops = {"image": {"max_side": 128}, "view": {"kind": "patch", "size": 64}}
    photographs = {"view": {"kind": "centre", "size": 128, "flip": True}}
    magnetic = DataSet("folder", TILES, "split by folder", groups=TABLE)

    def generator(
        name: str, method: MethodName, read: Callable[[str], Images], *settings: dict[str, Any]
    ) -> LongRun:
        learns, held_out = partial(read, "train"), partial(read, "test")
        return GeneratorRun(name, method, learns, held_out, merge(*settings))

    return [
        generator("dcgan_mnist", "dcgan", _digits, {"view": {"size": 32}}, DCGAN),
        generator("wgan_gp_mnist", "wgan_gp", _digits, {"view": {"size": 32}}, WGAN_GP),
        generator("stylegan_mnist", "stylegan", _digits, {"view": {"size": 32}}, STYLEGAN),
        generator("dcgan_tiles", "dcgan", _tiles, crops, DCGAN),
        generator("wgan_gp_tiles", "wgan_gp", _tiles, crops, WGAN_GP),
        generator("stylegan_tiles", "stylegan", _tiles, crops, STYLEGAN),
        generator("cyclegan_sunrise", "cyclegan", _shine_and_sunrise, photographs, CYCLEGAN),
        generator("stargan_weather", "stargan", _weather, photographs, STARGAN),
        generator("stargan_v2_weather", "stargan_v2", _weather, photographs, STARGAN_V2),
        DetectorRun("f_anogan_paper_tiles", "f_anogan_paper.toml", magnetic),
        DetectorRun("anogan_paper_tiles", "anogan_paper.toml", magnetic),
    ]


DCGAN = {
    "training": {"steps": 30_000, "batch_size": 64, "ema": 0.999},
    "network": {"latent_dim": 100, "features": 64},
}
WGAN_GP = {
    "training": {"steps": 30_000, "batch_size": 64, "ema": 0.999},
    "network": {"latent_dim": 128, "features": 32},
}
STYLEGAN = {
    "training": {"steps": 40_000, "batch_size": 32, "learning_rate": 2e-3, "ema": 0.999},
    "network": {"latent_dim": 128, "features": 32},
}
CYCLEGAN = {
    "training": {"steps": 40_000, "batch_size": 2, "decay_from": 0.5, "ema": 0.999},
    "network": {"features": 64, "blocks": 6},
}
STARGAN = {
    "training": {"steps": 20_000, "batch_size": 16, "decay_from": 0.5, "ema": 0.999},
    "network": {"features": 64, "blocks": 6},
}
STARGAN_V2 = {
    "training": {"steps": 50_000, "batch_size": 8, "ema": 0.999},
    "network": {"features": 64, "hidden": 512},
}


def work(
    todo: Sequence[LongRun], minutes: float, device: str, models: Path, results: Path
) -> list[str]:
    """Work on the unfinished trainings in turn; returns the names of those finished now."""
    deadline = time.monotonic() + 60 * minutes
    finished = []
    for run in todo:
        if time.monotonic() > deadline:
            break
        if run.name in _measured(results):
            continue
        folder, checkpoints = _places(run, models)
        if not (folder / CARD).exists():
            print(f"{run.name}: training")
            try:
                with _stopped_at(deadline):
                    run.train(folder, checkpoints, device)
            except (Interrupted, KeyboardInterrupt):
                break
        print(f"{run.name}: measuring")
        record = run.measure(folder, results.parent / f"{STUDY}_{run.name}.png", device)
        append_record(results, {"study": STUDY, "config": run.name, **record})
        finished.append(run.name)
    return finished


def status(todo: Sequence[LongRun], models: Path, results: Path) -> list[str]:
    """One line for each training of the list."""
    return [f"{run.name:24} {_state(run, models, results)}" for run in todo]


def _state(run: LongRun, models: Path, results: Path) -> str:
    folder, checkpoints = _places(run, models)
    if run.name in _measured(results):
        return "done"
    if (folder / CARD).exists():
        return "trained, to be measured"
    files = sorted(checkpoints.glob("*.safetensors"), key=lambda file: file.stat().st_mtime)
    if not files:
        return "not begun"
    saved = Checkpoint.load(files[-1])
    return f"{files[-1].stem}: {saved.step} steps in {saved.seconds / 60:.0f} minutes"


def _measured(results: Path) -> set[str]:
    return {record["config"] for record in read_records(results)}


def _places(run: LongRun, models: Path) -> tuple[Path, Path]:
    """The folder of the model, and that of the checkpoints."""
    return models / run.name, models / f"{run.name}.training"


@contextmanager
def _stopped_at(deadline: float) -> Iterator[None]:
    """Stop the body at a time, as Ctrl-C does: a training saves a checkpoint."""
    timer = Timer(max(0.0, deadline - time.monotonic()), interrupt_main)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _digits(part: str) -> list[Source]:
    return list(read_digits(train=part == "train")[0])


def _tiles(part: str) -> list[Source]:
    return [path for paths in by_lighting(part).values() for path in paths]


def _weather(part: str) -> dict[str, Path]:
    folder = DATA / "weather" / part
    return {name: folder / name for name in ("cloudy", "rain", "shine", "sunrise")}


def _shine_and_sunrise(part: str) -> dict[str, Path]:
    folder = DATA / "shine2sunrise"
    return {"shine": folder / f"{part}A", "sunrise": folder / f"{part}B"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", nargs="+", help="names of trainings; default: all")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--status", action="store_true", help="list the trainings")
    options = parser.parse_args()
    chosen = [run for run in runs() if not options.only or run.name in options.only]
    places = MODELS / STUDY, RESULTS / f"{STUDY}.jsonl"
    if not options.status:
        work(chosen, options.minutes, options.device, *places)
    print("\n".join(status(chosen, *places)))


if __name__ == "__main__":
    main()
