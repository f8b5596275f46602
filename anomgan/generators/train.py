"""Training a generator: `train_generator`."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Never

import numpy as np
import torch

from anomgan.config_values import build_settings
from anomgan.data.labels import LabelledImages, from_domains, read_labelled
from anomgan.data.normals import NormalImages, Source, read_normals, sources_of
from anomgan.data.own_files import is_own_picture
from anomgan.data.prepare import Preparation
from anomgan.data.store import ImageStore
from anomgan.errors import InputError, SettingsError
from anomgan.generators.arguments import ImageOptions, NetworkOptions, TrainingOptions, ViewOptions
from anomgan.generators.base import LatentGAN
from anomgan.generators.loading import build_model
from anomgan.generators.registry import METHODS, MethodName
from anomgan.generators.start import Start
from anomgan.generators.trained import GeneratorSettings, TrainedGenerator, settings_of
from anomgan.generators.trained_translator import TrainedTranslator
from anomgan.machine.device import choose_device, own_state
from anomgan.machine.progress import progress_bar
from anomgan.model_files import SNAPSHOTS
from anomgan.training.monitor import Monitor
from anomgan.training.phases import train_phase, view_batches
from anomgan.training.recipe import Phase

Images = Path | str | Sequence[Source] | Mapping[str, Path | str | Sequence[Source]]
"""A folder, a list of paths or arrays, or one of these for each domain."""
EXAMPLES = 6
"""Images in a translator's grid of samples."""


def train_generator(
    images: Images | LabelledImages,
    *,
    generator: MethodName = "dcgan",
    seed: int = 0,
    image: ImageOptions | None = None,
    view: ViewOptions | None = None,
    training: TrainingOptions | None = None,
    network: NetworkOptions | None = None,
    device: str = "auto",
    work_folder: Path | str | None = None,
    resume: bool = False,
    samples_every: int = 0,
    quality: Callable[[TrainedGenerator], Mapping[str, float]] | None = None,
    quality_every: int = 0,
    init: Path | str | None = None,
    freeze: Sequence[str] = (),
    **unknown: Never,
) -> TrainedGenerator:
    """Train a generator.

    A section such as `view` is a dict; keys that are left out have their defaults, which are named
    here, or None for all of them.

    Args:
        images: what it learns from. A folder or a list of images; for methods that learn labels, a
            folder with a sub-folder for each class, images by domain, or the result of
            `read_labelled`.
        generator: name of the method. Default "dcgan".
        seed: of weights, batches and latent vectors. Default 0.
        image: how images are prepared. `channels` "auto", "grey" or "rgb" ("auto"); `max_side` in
            pixels, to which images are scaled down (256); `lighting` "keep" or "flatten" ("keep");
            `lighting_radius` as a share of the image height (0.075).
        view: what the networks see of an image. `kind` "whole", "patch" or "centre", the middle
            square ("whole"); `size` in pixels, the side of the images that are generated (64);
            `flip`, mirror half of the views (False); `past_edge`, let patches reach past the edge
            of an image (False).
        training: `steps`; `batch_size` in views; `decay_from`, the share of the steps after which
            the learning rate decays to 0; `ema`, the decay of the averaged weights. These four
            depend on the method: see `settings_of(generator)().training`. For all methods:
            `minutes`, a limit on the time (None); `learning_rate`, `beta1` and `beta2` of the
            optimiser (None: those of the paper); `precision` "auto", "float32" or "bfloat16"
            ("float32"); `checkpoint_minutes` (2).
        network: sizes and losses of the method, with the keys and defaults of its settings, such
            as `WGANGPSettings`: `latent_dim`, `features` and the method's own.
        device: "auto", "cpu", "cuda" or "mps". Default "auto".
        work_folder: where checkpoints are kept. Default None: no checkpoints.
        resume: continue from the checkpoint in `work_folder`. Default False.
        samples_every: steps between grids of samples in `work_folder`/samples. Default 0: none.
        quality: measures the generator as it is so far; the first figure decides which weights are
            the best, the lowest. `evaluation.quality_watch.QualityWatch` is one. Default None.
        quality_every: steps between measurements. The figures are in the history, and the best
            weights are kept beside the last. Default 0: none.
        init: model folder whose weights the training starts from, of the same method. Colour,
            `view.kind`, `view.size` and `network` are those of that model, unless they are given.
            Default None: random weights.
        freeze: parts of these weights that are not trained: names of networks, or of sub-modules
            such as "synthesis.blocks.0". Default: none.
        **unknown: there are no others. A settings file may have some: they are named in the error.

    Raises:
        SettingsError: a setting is unknown or out of range, the method cannot learn the labels, the
            weights of `init` do not fit, or there is no part that `freeze` names.
        ModelError: `init` is not the folder of a generator.
        InputError: an image cannot be read.
        TrainingError: a loss is not finite, or the checkpoint does not fit.
        Interrupted: Ctrl-C was pressed; a checkpoint is saved.
    """
    given = {"image": image, "view": view, "training": training, "network": network}
    values: dict[str, Any] = {name: one for name, one in given.items() if one is not None}
    values |= {"seed": seed, **unknown}
    start = Start.load(Path(init), generator, freeze) if init else None
    if freeze and not start:
        raise SettingsError("freeze needs init: frozen parts would keep random weights")
    settings = build_settings(settings_of(generator), start.defaults(values) if start else values)
    work = Path(work_folder) if work_folder else None
    watch = _Watch(
        samples_every if work else 0, quality or (lambda model: {}), quality_every if quality else 0
    )
    place = choose_device(device)
    with own_state(place):
        return _train(settings, images, place, work, resume, watch, start)


@dataclass
class _Watch:
    """What is done from time to time during a training; the numbers are steps, 0 for never."""

    samples_every: int
    quality: Callable[[TrainedGenerator], Mapping[str, float]]
    quality_every: int

    def begin(self, model: TrainedGenerator, folder: Path, resume: bool) -> Monitor:
        """Watch the training of a model, with grids of its samples in a folder."""
        if self.samples_every:
            model.snapshots = folder
            if not resume:
                _remove_snapshots(folder)
        return Monitor(
            show=lambda step: model.draw_samples(folder / f"{step:07d}.png", f"Step {step}"),
            show_every=self.samples_every,
            measure=lambda: self.quality(model),
            measure_every=self.quality_every,
        )


def _train(
    settings: GeneratorSettings,
    images: Images | LabelledImages,
    device: torch.device,
    work_folder: Path | None,
    resume: bool,
    watch: _Watch,
    start: Start | None,
) -> TrainedGenerator:
    plain = issubclass(METHODS[settings.generator], LatentGAN)
    labelled = None if plain else _labelled(images)
    sources = labelled.sources if labelled else _unlabelled(images)
    with tempfile.TemporaryDirectory(prefix="anomgan-") as scratch:
        folder = work_folder or Path(scratch)
        with progress_bar("reading images", len(sources)) as report:
            read = read_normals(sources, folder=folder, report=report)
        preparation = Preparation.of(read, settings.image, settings.view)
        sets = labelled.sets if labelled else ()
        model = build_model(settings, preparation, sets, device)
        if start:
            start.apply(model)
        fingerprint = _fingerprint(read, labelled)
        with read.prepared(preparation, folder) as store:
            if isinstance(model, TrainedTranslator) and labelled:
                model.examples = _examples(store, labelled)
            phase = Phase(model.method, settings.training)
            summary = train_phase(
                settings.generator,
                phase,
                view_batches(phase, store, range(len(store)), settings, labelled),
                settings,
                fingerprint=fingerprint,
                device=model.device,
                work_folder=work_folder,
                resume=resume,
                monitor=watch.begin(model, folder / SNAPSHOTS, resume),
                facts=start.shared() if start else None,
            )
    model.history = summary.history
    model.best = summary.best
    model.facts = {
        "images": len(sources),
        "steps": summary.steps,
        "seconds": round(summary.seconds, 1),
        "device": str(model.device),
        "fingerprint": fingerprint,
        **({"init": start.facts()} if start else {}),
    }
    model.method.networks.eval()
    return model


def _labelled(images: Images | LabelledImages) -> LabelledImages:
    if isinstance(images, LabelledImages):
        return images
    if isinstance(images, Path | str):
        return read_labelled([images])
    if isinstance(images, Mapping):
        return from_domains(images)
    raise InputError("a list of images has no labels; give a folder of classes, or domains by name")


def _unlabelled(images: Images | LabelledImages) -> list[Source]:
    if isinstance(images, LabelledImages):
        return images.sources
    if isinstance(images, Mapping):
        return from_domains(images).sources
    sources = sources_of(images)
    if not sources:
        raise InputError("there are no images to learn from")
    return sources


def _fingerprint(read: NormalImages, labelled: LabelledImages | None) -> str:
    if labelled is None:
        return read.fingerprint
    digest = hashlib.sha256(read.fingerprint.encode())
    digest.update(repr([asdict(one) for one in labelled.sets]).encode())
    digest.update(np.nan_to_num(labelled.labels, nan=-1.0))
    return digest.hexdigest()


def _examples(store: ImageStore, labelled: LabelledImages) -> list[np.ndarray]:
    """A few images of each stratum."""
    strata = labelled.strata
    members = [np.flatnonzero(strata == number) for number in np.unique(strata)]
    each = -(-EXAMPLES // len(members))
    return [store[int(index)].copy() for some in members for index in some[:each]]


def _remove_snapshots(folder: Path) -> None:
    """Remove those of an earlier training."""
    for path in folder.glob("*.png"):
        if is_own_picture(path):
            path.unlink()
