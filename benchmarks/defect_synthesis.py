"""Defects from a few images: CycleGAN translates crops of good tiles to crops with a blowhole.

    python benchmarks/defect_synthesis.py

The training images are crops around the blowholes of some tiles, and crops beside them. So the two
domains differ only in the defect, not in the tile or its lighting. Then CycleGAN adds blowholes to
crops of good tiles that it has not seen. A classifier, trained on real blowholes of other tiles,
counts how many of the results it predicts to be defective. A detector, trained on good crops only,
is measured on real defects and on generated ones.
"""

from pathlib import Path

import cv2
import numpy as np
from generator_study import keep, parser_of, trained
from study import RESULTS
from tiles import by_lighting, by_tile, mask_of

from anomgan.data.decode import read_image
from anomgan.detectors import METHODS
from anomgan.evaluation.classifier import train_classifier
from anomgan.generators import TrainedTranslator
from anomgan.metrics.detection import auroc
from anomgan.pictures import save_grid

STUDY = "defect_synthesis"
CONFIG = "cyclegan_defects"
DEFECTS = ("blowhole",)
LEARNT = 10
"""Defective tiles to train the generator on; the others evaluate it."""
LONGEST = 160
"""Pixels; longer side of a tile before it is cropped."""
SIDE = 32
CROPS = 4
"""Crops of an image around its defect, and equally many beside it."""
SHIFT = 0.3
"""Largest distance between the centres of crop and defect, as a share of the crop's side."""
COLUMNS = 12
"""Size of the picture."""
DETECTORS = ("nearest", "autoencoder")


def main() -> None:
    options = parser_of(__doc__).parse_args()
    rng = np.random.default_rng(0)
    tiles = by_tile(DEFECTS)
    tiles = [tiles[number] for number in rng.permutation(len(tiles))]
    learnt, clean = _crops(tiles[:LEARNT], rng)
    model = trained(STUDY, CONFIG, {"good": clean, "defect": learnt}, options.device)
    if options.only_train:
        return
    assert isinstance(model, TrainedTranslator)
    good, unseen = (
        [_anywhere(path, rng) for paths in by_lighting(part).values() for path in paths]
        for part in ("train", "test")
    )
    fake, same = (list(model.translate(unseen, to=name)) for name in ("defect", "good"))
    judging, beside = _crops(tiles[LEARNT:], rng)
    harmless = beside + good[:: len(good) // len(beside)]
    classifier = train_classifier(
        [*harmless, *judging],
        np.repeat([0, 1], [len(harmless), len(judging)]),
        ["good", "defect"],
        size=SIDE,
        steps=400,
        seed=0,
        device=options.device,
    )
    groups = {"good": unseen, "learnt": learnt, "made": fake, "kept": same}
    figures = {
        f"seen_defective_{name}": float(np.mean(classifier.predict(images)))
        for name, images in groups.items()
    }
    figures["tiles_learnt"] = LEARNT
    figures["photographs_learnt"] = len(learnt) // CROPS
    for name in DETECTORS:
        detector = METHODS[name](
            device=options.device, image={"lighting": "keep"}, view={"kind": "whole", "size": SIDE}
        ).fit(good)
        scores = {k: [r.score for r in detector.score(some)] for k, some in groups.items()}
        for kind, normal in (("learnt", "good"), ("made", "kept")):
            truth = [0] * len(scores[normal]) + [1] * len(scores[kind])
            figures[f"auroc_{name}_{kind}"] = auroc(truth, [*scores[normal], *scores[kind]])
    keep(STUDY, model, CONFIG, figures)
    print(figures)
    rows = [some[:: len(some) // COLUMNS][:COLUMNS] for some in (unseen, fake, learnt)]
    labels = ["good", "made", "real"]
    save_grid(RESULTS / "defect_synthesis.png", rows, [""] * COLUMNS, labels, CONFIG)


def _crops(
    tiles: list[dict[str, Path]], rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Cut crops with the largest defect, and crops without defects, from each image of a tile."""
    defective, clean = [], []
    for tile in tiles:
        for path in tile.values():
            image, mask = _scaled(read_image(path)), _scaled(read_image(mask_of(path)))
            count, _, boxes, centres = cv2.connectedComponentsWithStats((mask > 127).view("u1"))
            if count == 1:
                continue
            largest = 1 + int(np.argmax(boxes[1:, cv2.CC_STAT_AREA]))
            around = centres[largest] + SHIFT * SIDE * rng.uniform(-1, 1, (CROPS, 2))
            defective += [_crop(image, *place) for place in around]
            anywhere = rng.random((100, 2)) * image.shape[::-1]
            beside = [place for place in anywhere if not _crop(mask, *place).any()]
            clean += [_crop(image, *place) for place in beside[:CROPS]]
    return defective, clean


def _anywhere(path: Path, rng: np.random.Generator) -> np.ndarray:
    image = _scaled(read_image(path))
    return _crop(image, *(rng.random(2) * image.shape[::-1]))


def _scaled(image: np.ndarray) -> np.ndarray:
    # Widen a narrow tile to the width of the crop.
    scale = max(LONGEST / max(image.shape), SIDE / min(image.shape))
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _crop(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """Cut a square of SIDE pixels around (x, y), shifted so that it lies within the image."""
    top = int(np.clip(y - SIDE / 2, 0, image.shape[0] - SIDE))
    left = int(np.clip(x - SIDE / 2, 0, image.shape[1] - SIDE))
    return image[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    main()
