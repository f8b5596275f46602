"""A trained translator: translates images of any size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor

from anomgan.data.decode import to_uint8
from anomgan.data.normals import Source, name_of, read_source
from anomgan.data.views import (
    LARGEST_TILE,
    from_square,
    overlap,
    scan,
    squeezed,
    to_network,
    to_pixels,
    to_square,
)
from anomgan.errors import SettingsError
from anomgan.generators.trained import TrainedGenerator
from anomgan.generators.translator import Translator
from anomgan.machine.device import inference
from anomgan.pictures import save_grid


class TrainedTranslator(TrainedGenerator):
    """A generator that translates images.

    Attributes:
        examples: prepared images, for the grid of samples.
    """

    method: Translator
    examples: Sequence[np.ndarray] = ()

    def translate(
        self,
        images: Sequence[Source],
        *,
        to: str | None = None,
        reference: Source | None = None,
        seed: int = 0,
        full_size: bool = False,
    ) -> Iterator[np.ndarray]:
        """Translate images to another domain; uint8, at the size to which they are prepared.

        Args:
            images: paths or arrays.
            to: target, as `encode` takes it.
            reference: an image of the target domain that gives the style (StarGAN v2).
            seed: of a random style, if there is no reference.
            full_size: return each image at its own size, with all its detail; see `render`.

        Raises:
            SettingsError: the target is unknown, the method has no styles, or full size is not
                available.
            InputError: an image cannot be read.
        """
        style = self.style(to, reference, seed)
        names = [name_of(source, number) for number, source in enumerate(images)]
        return (
            self.render(read_source(source, name), style, full_size=full_size, name=name)
            for source, name in zip(images, names, strict=True)
        )

    def render(
        self, image: np.ndarray, style: Tensor, *, full_size: bool = False, name: str = "image"
    ) -> np.ndarray:
        """Translate a decoded image to a style [1, D]; uint8.

        Args:
            image: uint8 or uint16, [H, W] or [H, W, 3].
            style: from `style`.
            full_size: return the image at its own size instead of the model's. The change that the
                model makes is enlarged and added to the image, so that its fine detail stays. The
                result has 8 bits, and is in colour if the model works in colour.
            name: of the image, for messages.

        Raises:
            SettingsError: full size with a model that flattens the lighting, or that sees only the
                middle of an image: its change does not fit the photograph.
            InputError: the image is too small.
        """
        if full_size and self.preparation.lighting == "flatten":
            raise SettingsError(
                "full size adds the model's changes to the photograph, but this model sees "
                "flattened lighting; train it with image.lighting=keep"
            )
        if full_size and self.preparation.view == "centre":
            raise SettingsError(
                "full size needs a model that sees the whole image, but this one sees only the "
                "square in the middle; train it with view.kind=whole or patch"
            )
        prepared = self.preparation(image, name)
        result = self.apply(prepared, style)
        if not full_size:
            return result
        change = result.reshape(prepared.shape).astype(np.float32) - prepared
        original = to_uint8(image, self.preparation.bits)
        return _add_change(original, change)

    def style(self, to: str | None, reference: Source | None = None, seed: int = 0) -> Tensor:
        """The condition of the generator for a target, [1, D]; see `translate`."""
        if to is None:
            raise SettingsError(f"say which domain to translate to: {', '.join(self.names)}")
        if reference is not None:
            shown = self.preparation(read_source(reference, "reference"), "reference")
            return self.style_of(shown, to)
        with inference(self.device):
            return self.method.style(self.encode(to), None, seed)

    def style_of(self, prepared: np.ndarray, to: str) -> Tensor:
        """The style [1, D] of the middle of a prepared image [h, w, C] of the domain `to`."""
        x = to_network(middle_view(prepared, self.settings.view.size)[None]).to(self.device)
        with inference(self.device):
            return self.method.style(self.encode(to), x, 0)

    def apply(self, prepared: np.ndarray, style: Tensor) -> np.ndarray:
        """Translate a prepared image [h, w, C] to a style [1, D]; uint8 [h, w] or [h, w, 3]."""

        def infer(x: Tensor) -> dict[str, Tensor]:
            with inference(self.device):
                told = style.expand(len(x), -1)
                return {"x": self.method.translate(x.to(self.device), told).cpu()}

        size = self.settings.view.size
        if self.settings.view.kind != "patch":
            x = infer(to_network(to_square(prepared, size)[None]))["x"]
            x = from_square(x, *prepared.shape[:2])
        else:
            stride, margin = self.method.stride, overlap(size)
            x = scan(prepared, infer, tile=LARGEST_TILE, stride=stride, margin=margin)["x"]
        return squeezed(to_pixels(x)[0])

    def draw_samples(self, path: Path, title: str) -> None:
        """Save a grid with a row for each example and a column for each label."""
        if not self.examples:
            return
        styles = [self.style(name) for name in self.names]
        rows = [
            [example.squeeze(), *(self.apply(example, style) for style in styles)]
            for example in self.examples
        ]
        save_grid(path, rows, ["input", *self.names], title=title)


def _add_change(image: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Add a change float32 [h, w, C], scaled to its size, to a uint8 image [H, W] or [H, W, 3]."""
    height, width = image.shape[:2]
    method = cv2.INTER_AREA if change.shape[0] > height else cv2.INTER_LINEAR
    change = cv2.resize(change, (width, height), interpolation=method).reshape(height, width, -1)
    sums = np.atleast_3d(image) + change
    return squeezed(np.clip(np.rint(sums), 0, 255).astype(np.uint8))


def middle_view(image: np.ndarray, size: int) -> np.ndarray:
    """The middle of a prepared image as one view of `size`; smaller images are padded."""
    height, width = image.shape[:2]
    top, left = max(0, (height - size) // 2), max(0, (width - size) // 2)
    return to_square(image[top : top + size, left : left + size], size)
