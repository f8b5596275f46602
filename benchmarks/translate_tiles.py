"""Magnetic tiles under another lighting: CycleGAN (1 and 6), StarGAN and StarGAN v2 (all six).

    python benchmarks/translate_tiles.py

The true image of each tile under the target lighting exists. It is aligned with the input (by an
affine map, from the two images only). All results are compared with it: the unchanged input, the
input with the histogram of the target lighting, and each translation. A classifier of lightings,
trained on real images, predicts the lighting. The masks show where the defects are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from generator_study import judge, keep, keep_real, labelled, parser_of, trained
from similarity import match_histogram, ssim
from study import RESULTS
from tiles import LIGHTINGS, by_lighting, by_tile, mask_of

from anomgan.data.decode import read_image
from anomgan.data.prepare import Preparation
from anomgan.evaluation.classifier import Classifier
from anomgan.generators import TrainedTranslator
from anomgan.pictures import save_grid

STUDY = "translate_tiles"
DEFECTS = ("blowhole", "crack", "break")
"""Kinds of defects whose masks show where a tile differs from its surroundings."""
CONFIGS = {
    "cyclegan_tiles": ("1", "6"),
    "stargan_tiles": LIGHTINGS,
    "stargan_v2_tiles": LIGHTINGS,
}
TILES_COMPARED = 15
FEWEST_PIXELS = 4
"""Pixels of a mask; smaller defects are not measured."""


@dataclass(frozen=True)
class Pair:
    """A prepared tile under two lightings, uint8 [h, w]; `valid` is where `truth` is aligned."""

    lighting: str
    target: str
    input: np.ndarray
    truth: np.ndarray
    valid: np.ndarray


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--configs", nargs="+", default=CONFIGS)
    options = parser.parse_args()
    photographs = by_lighting("train")
    models = {
        config: trained(
            STUDY, config, {name: photographs[name] for name in CONFIGS[config]}, options.device
        )
        for config in options.configs
    }
    if options.only_train:
        return
    domains = {name: _read(paths) for name, paths in photographs.items()}
    classifier = judge(
        STUDY, LIGHTINGS, lambda: labelled(domains), size=64, steps=600, device=options.device
    )
    _keep_classifier(classifier)
    tiles = by_tile(("good",))[:TILES_COMPARED]
    for config, model in models.items():
        assert isinstance(model, TrainedTranslator)
        pairs = list(_pairs(tiles, CONFIGS[config], model.preparation))
        prepared = {
            name: np.concatenate([model.preparation(image).ravel() for image in images])
            for name, images in domains.items()
            if name in CONFIGS[config]
        }
        results = {
            "truth": [pair.truth for pair in pairs],
            "input": [pair.input for pair in pairs],
            "histogram": [match_histogram(p.input, prepared[p.target]) for p in pairs],
            "translation": [_translate(model, p.input, p.target) for p in pairs],
        }
        figures = {"pairs": len(pairs)}
        for name, images in results.items():
            figures |= _compare(name, images, pairs, classifier, CONFIGS[config])
        figures |= _defects(model, CONFIGS[config])
        keep(STUDY, model, config, figures)
        print(config, figures)
        _draw(config, model, tiles[:4])


def _read(paths: Sequence[Path]) -> list[np.ndarray]:
    return [read_image(path) for path in paths]


def _keep_classifier(classifier: Classifier) -> None:
    """Measure the accuracy of the classifier on real test images: the upper bound."""
    right = {
        name: float(np.mean(classifier.predict(_read(paths)) == number))
        for number, (name, paths) in enumerate(by_lighting("test").items())
    }
    figures = {"sees_asked": float(np.mean(list(right.values()))), "sees_by_lighting": right}
    keep_real(STUDY, "real photographs", figures)


def _pairs(
    tiles: list[dict[str, Path]], lightings: Sequence[str], prepare: Preparation
) -> Iterator[Pair]:
    for tile in tiles:
        images = {
            name: prepare(read_image(path))[:, :, 0]
            for name, path in tile.items()
            if name in lightings
        }
        for lighting, image in images.items():
            for target, other in images.items():
                if target != lighting:
                    yield Pair(lighting, target, image, *align(image, other))


def align(image: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Align `other` with `image` by an affine map; also return where it covers the image (bool)."""
    height, width = image.shape
    resized = cv2.resize(other, (width, height), interpolation=cv2.INTER_AREA)
    warp = np.eye(2, 3, dtype=np.float32)
    try:
        stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-5)
        _, warp = cv2.findTransformECC(image, resized, warp, cv2.MOTION_AFFINE, stop, None, 5)
    except cv2.error:
        pass  # too little structure to align: only the frames of the images are left
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(resized, warp, (width, height), flags=how)
    covered = cv2.warpAffine(np.full_like(resized, 255), warp, (width, height), flags=how)
    return moved, covered == 255


def _translate(model: TrainedTranslator, prepared: np.ndarray, target: str) -> np.ndarray:
    return model.apply(prepared[:, :, None], model.style(target))


def _compare(
    name: str,
    images: list[np.ndarray],
    pairs: list[Pair],
    classifier: Classifier,
    lightings: Sequence[str],
) -> dict[str, float]:
    both = list(zip(images, pairs, strict=True))
    distance = [
        np.abs(image.astype(float) - pair.truth)[pair.valid].mean() / 255 for image, pair in both
    ]
    likeness = [ssim(image, pair.truth)[pair.valid].mean() for image, pair in both]
    # The classifier chooses among the lightings that the model knows; the truth is one of them.
    known = [classifier.names.index(lighting) for lighting in lightings]
    asked = np.array([lightings.index(pair.target) for pair in pairs])
    seen = classifier.probabilities(images)[:, known].argmax(1)
    return {
        f"l1_{name}": float(np.mean(distance)),
        f"ssim_{name}": float(np.mean(likeness)),
        f"sees_asked_{name}": float(np.mean(seen == asked)),
        f"sees_neighbour_{name}": float(np.mean(np.abs(seen - asked) <= 1)),
    }


def _defects(model: TrainedTranslator, lightings: Sequence[str]) -> dict[str, float]:
    """Measure how much of a defect's contrast with its surroundings is left in each translation."""
    left = []
    for tile in by_tile(DEFECTS):
        for lighting, path in tile.items():
            if lighting not in lightings:
                continue
            image = model.preparation(read_image(path))[:, :, 0]
            mask = cv2.resize(
                read_image(mask_of(path)), image.shape[::-1], interpolation=cv2.INTER_AREA
            )
            inside, around = _places(mask)
            if inside.sum() < FEWEST_PIXELS:
                continue
            before = _contrast(image, inside, around)
            for target in lightings:
                if target != lighting:
                    after = _contrast(_translate(model, image, target), inside, around)
                    left.append(after / before)
    share = np.array(left)
    return {
        "defects": len(left),
        "contrast_left": float(np.median(share)),
        "defects_kept": float(np.mean(share >= 0.5)),
    }


def _places(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inside = mask > 127
    wide = cv2.dilate(inside.astype(np.uint8), np.ones((9, 9))) > 0
    near = cv2.dilate(inside.astype(np.uint8), np.ones((3, 3))) > 0
    return inside, wide & ~near


def _contrast(image: np.ndarray, inside: np.ndarray, around: np.ndarray) -> float:
    """Compute the contrast of a defect with its surroundings, in deviations of the surroundings."""
    beside = image[around].astype(float)
    return float((image[inside].mean() - beside.mean()) / (beside.std() + 1))


def _draw(config: str, model: TrainedTranslator, tiles: list[dict[str, Path]]) -> None:
    """Draw two rows for each tile: translations of its darkest image, and the true images."""
    lightings = CONFIGS[config]
    rows, labels = [], []
    for tile in tiles:
        prepared = {
            name: model.preparation(read_image(path))[:, :, 0] for name, path in tile.items()
        }
        first = next(name for name in lightings if name in prepared)
        size = prepared[first].shape[::-1]
        rows.append([_translate(model, prepared[first], name) for name in lightings])
        blank = np.zeros_like(prepared[first])
        rows.append([cv2.resize(prepared.get(name, blank), size) for name in lightings])
        labels += [f"from {first}", "true"]
    save_grid(RESULTS / f"{config}.png", rows, lightings, labels, config)


if __name__ == "__main__":
    main()
