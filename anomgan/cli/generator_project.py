"""`anomgan generator project`: rebuilds images with a generator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from anomgan.cli.batch import Outcome, describe_error, exit_if_failed, file_counts, targets_of
from anomgan.cli.options import DEFAULT_GENERATOR, Device, Generator
from anomgan.cli.say import say
from anomgan.errors import InputError, ModelError

if TYPE_CHECKING:
    from torch import Tensor

    from anomgan.generators.base import LatentGAN
    from anomgan.generators.latent_search import SearchSettings
    from anomgan.generators.trained_gan import TrainedGAN

TOGETHER = 16
"""Images in one batch of the search."""


def project(
    image: Annotated[list[Path], typer.Option(help="Image to rebuild. May be repeated.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")],
    space: Annotated[
        Literal["w", "w+"],
        typer.Option(help="StyleGAN: one style for all layers (w), or one for each (w+)."),
    ] = "w+",
    steps: Annotated[int | None, typer.Option(min=1, help="Most search steps per image.")] = None,
    model: Generator = DEFAULT_GENERATOR,
    device: Device = "auto",
) -> None:
    """Find the latent codes from which a generator rebuilds images, and show the differences.

    Exit codes: 0 done, 2 bad input or settings, 3 some images of a batch could not be read.
    """
    from anomgan.generators.base import LatentGAN
    from anomgan.generators.loading import load_gan
    from anomgan.generators.projection import PROJECTION
    from anomgan.machine.progress import progress_bar

    targets = targets_of(image, None, out)
    trained = load_gan(model, device)
    gan = trained.method
    if not isinstance(gan, LatentGAN):
        raise ModelError(f"{model} holds a {gan.name}; a projection needs one without labels")
    own = {"space": space} | ({"steps": steps} if steps else {})
    settings = PROJECTION.model_copy(update=own)
    outcome = Outcome(len(targets))
    with progress_bar("searching", len(targets)) as report:
        for first in range(0, len(targets), TOGETHER):
            some = dict(list(targets.items())[first : first + TOGETHER])
            outcome.failed += _project(trained, gan, some, settings)
            report(first + len(some))
    say(file_counts(outcome, "projected", out))
    exit_if_failed(outcome)


def _project(
    model: "TrainedGAN", gan: "LatentGAN", some: dict[Path, Path], settings: "SearchSettings"
) -> int:
    """Rebuild images together and save the pictures; return how many could not be used."""
    import torch

    from anomgan.data.views import HALF_RANGE
    from anomgan.generators.projection import project as search
    from anomgan.machine.names import escaped

    views = _views(model, some)
    if views:
        x = torch.cat(list(views.values())).to(model.device)
        found = search(gan, x, settings)
        each = zip(views, x, found.rebuilt, found.error, strict=True)
        for target, before, after, error in each:
            said = f"mean difference {HALF_RANGE * error:.1f} of 255"
            _draw(target, before, after, f"{escaped(some[target].name)}: {said}")
            say(f"{some[target]}  {said}  {target}")
    return len(some) - len(views)


def _views(model: "TrainedGAN", some: dict[Path, Path]) -> dict[Path, "Tensor"]:
    """Make the view [1, C, size, size] of each image that can be used, by the file to write."""
    from anomgan.data.decode import read_image
    from anomgan.data.views import to_network
    from anomgan.generators.trained_translator import middle_view

    views: dict[Path, Tensor] = {}
    for target, path in some.items():
        try:
            prepared = model.preparation(read_image(path), str(path))
        except InputError as error:
            say(describe_error(error))
        else:
            views[target] = to_network(middle_view(prepared, model.settings.view.size)[None])
    return views


def _draw(target: Path, before: "Tensor", after: "Tensor", title: str) -> None:
    """Save an image beside its reconstruction and their difference."""
    import numpy as np

    from anomgan.data.views import to_pixels
    from anomgan.pictures import save_grid

    shown, rebuilt = (to_pixels(x[None])[0].squeeze() for x in (before, after))
    residual = np.abs(shown.astype(np.float32) - rebuilt)
    heat = residual if residual.ndim == 2 else residual.mean(2)
    save_grid(target, [[shown, rebuilt, heat]], ["image", "projection", "difference"], title=title)
