"""`anomgan generator translate` and `project` as jobs: photographs through a generator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from anomgan.cli.batch import Outcome
from anomgan.data.decode import read_image
from anomgan.data.encode import write_png
from anomgan.data.folders import list_images
from anomgan.data.views import to_network, to_pixels
from anomgan.errors import InputError, ModelError
from anomgan.generators.base import LatentGAN
from anomgan.generators.loading import load_gan, load_translator
from anomgan.generators.projection import PROJECTION, project
from anomgan.generators.trained_gan import TrainedGAN
from anomgan.generators.trained_translator import middle_view
from anomgan.machine.progress import progress_bar
from anomgan.pictures import save_grid

Say = Callable[[str], None]
TOGETHER = 16
"""Images that are projected together."""


@dataclass(frozen=True)
class TranslateJob:
    """What to translate to what.

    Attributes:
        model: model folder.
        images: files.
        folder: folder whose images are translated too, with its sub-folders.
        to: target domain, or attributes.
        reference: image whose style is wanted.
        seed: of the style, where there is no reference.
        full_size: keep the size and the detail of the photographs.
        out: folder to write.
        device: "auto", "cpu", "cuda" or "mps".
    """

    model: Path
    images: Sequence[Path]
    folder: Path | None
    to: str | None
    reference: Path | None
    seed: int
    full_size: bool
    out: Path
    device: str


@dataclass(frozen=True)
class ProjectJob:
    """What to rebuild by which generator.

    Attributes:
        model: model folder.
        images: files.
        space: "w" or "w+".
        steps: of the search; None for as many as usual.
        out: folder to write.
        device: "auto", "cpu", "cuda" or "mps".
    """

    model: Path
    images: Sequence[Path]
    space: Literal["w", "w+"]
    steps: int | None
    out: Path
    device: str


def run_translate(job: TranslateJob, say: Say) -> Outcome:
    """Translate all images of a job; one that cannot be used is reported and the rest go on.

    Raises:
        InputError: there is nothing to translate, or a photograph would be overwritten.
        ModelError: the model cannot be loaded, or is no translator.
        SettingsError: the target is unknown.
    """
    targets = _targets(job.images, job.folder, job.out)
    model = load_translator(job.model, job.device)
    style = model.style(job.to, job.reference, job.seed)
    outcome = Outcome(len(targets))
    with progress_bar("translating", len(targets)) as report:
        for done, (target, path) in enumerate(targets.items(), start=1):
            try:
                image = model.render(
                    read_image(path), style, full_size=job.full_size, name=str(path)
                )
            except InputError as error:
                outcome.failed += 1
                say(f"error      {error}")
            else:
                write_png(target, image)
            report(done)
    say(_closing(outcome, f"translated to {job.to}", job.out))
    return outcome


def run_project(job: ProjectJob, say: Say) -> Outcome:
    """Rebuild all images of a job by a generator; one that cannot be used is reported.

    Raises:
        InputError: there is nothing to project, or a photograph would be overwritten.
        ModelError: the model cannot be loaded, or is no generator without labels.
    """
    targets = _targets(job.images, None, job.out)
    model = load_gan(job.model, job.device)
    gan = model.method
    if not isinstance(gan, LatentGAN):
        raise ModelError(f"{job.model} holds a {gan.name}; a projection takes one without labels")
    own = {"space": job.space} | ({"steps": job.steps} if job.steps else {})
    settings = PROJECTION.model_copy(update=own)
    outcome = Outcome(len(targets))
    with progress_bar("searching", len(targets)) as report:
        for first in range(0, len(targets), TOGETHER):
            some = dict(list(targets.items())[first : first + TOGETHER])
            views = _views(model, some, say)
            outcome.failed += len(some) - len(views)
            if views:
                x = torch.cat(list(views.values())).to(model.device)
                found = project(gan, x, settings)
                each = zip(views, x, found.rebuilt, found.error, strict=True)
                for target, before, after, error in each:
                    said = f"mean difference {127.5 * error:.1f} of 255"
                    _draw(target, before, after, f"{some[target].name}: {said}")
                    say(f"{some[target]}  {said}  {target}")
            report(first + len(some))
    say(_closing(outcome, "projected", job.out))
    return outcome


def _targets(images: Sequence[Path], folder: Path | None, out: Path) -> dict[Path, Path]:
    """Which photograph becomes which file."""
    named = [(path, Path(path.name)) for path in images]
    if folder:
        if out.resolve().is_relative_to(folder.resolve()):
            raise InputError(f"--out {out} lies in {folder}; choose a folder outside of it")
        named += [(path, path.relative_to(folder)) for path in list_images(folder)]
    if not named:
        raise InputError("there are no images; say which")
    sources = {path.resolve() for path, _ in named}
    targets: dict[Path, Path] = {}
    for path, name in named:
        target = out / name.with_suffix(".png")
        if target in targets:
            raise InputError(
                f"{targets[target]} and {path} would both become {target}; rename one of them, or "
                f"choose another --out for it"
            )
        if target.resolve() in sources:
            raise InputError(f"{target} would be overwritten; choose another --out")
        targets[target] = path
    return targets


def _views(model: TrainedGAN, some: dict[Path, Path], say: Say) -> dict[Path, Tensor]:
    """The view [1, C, size, size] of each image that can be used, by the file to write."""
    views: dict[Path, Tensor] = {}
    for target, path in some.items():
        try:
            prepared = model.preparation(read_image(path), str(path))
        except InputError as error:
            say(f"error      {error}")
        else:
            views[target] = to_network(middle_view(prepared, model.settings.view.size)[None])
    return views


def _draw(target: Path, before: Tensor, after: Tensor, title: str) -> None:
    """Save an image beside its reconstruction and their difference."""
    shown, rebuilt = (to_pixels(x[None])[0].squeeze() for x in (before, after))
    residual = np.abs(shown.astype(np.float32) - rebuilt)
    heat = residual if residual.ndim == 2 else residual.mean(2)
    save_grid(target, [[shown, rebuilt, heat]], ["image", "projection", "difference"], title=title)


def _closing(outcome: Outcome, verb: str, out: Path) -> str:
    text = f"{outcome.total - outcome.failed} images {verb}, in {out}/"
    return text + (f"; {outcome.failed} could not be" if outcome.failed else "")
