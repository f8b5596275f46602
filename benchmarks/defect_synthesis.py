"""Defects from a few photographs: CycleGAN takes crops of good tiles to crops with a defect.

    python benchmarks/defect_synthesis.py

Learns from crops around the blowholes, cracks and breaks of some tiles. A classifier that was
trained on real crops of all other defective tiles says how many of the results it takes for
defective; and a detector that has learnt good crops alone is asked how well it separates real
defects, and how well the made ones.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from generator_study import keep, picture, trained
from tiles import LIGHTINGS, by_lighting, by_tile, mask_of

from anomgan.data.decode import read_image
from anomgan.detectors import METHODS
from anomgan.generators import TrainedTranslator
from anomgan.generators.classifier import train_classifier
from anomgan.metrics.detection import auroc
from anomgan.pictures import save_grid

STUDY = "defect_synthesis"
CONFIG = "cyclegan_defects"
DEFECTS = ("blowhole", "crack", "break")
LEARNT = 14
"""Defective tiles that the generator learns from; the others judge it."""
LONGEST = 160
"""Pixels; longer side of a tile before it is cropped."""
SIDE = 64
DETECTORS = ("nearest", "autoencoder")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only-train", action="store_true")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    tiles = by_tile(DEFECTS)
    tiles = [tiles[number] for number in rng.permutation(len(tiles))]
    learnt, judging = (_defective(some) for some in (tiles[:LEARNT], tiles[LEARNT:]))
    good = [_anywhere(path, rng) for paths in by_lighting("train").values() for path in paths]
    model = trained(STUDY, CONFIG, {"good": good, "defect": learnt}, options.device)
    if options.only_train:
        return
    assert isinstance(model, TrainedTranslator)
    unseen = [_anywhere(path, rng) for paths in by_lighting("test").values() for path in paths]
    fake, same = (list(model.translate(unseen, to=name)) for name in ("defect", "good"))
    half = len(good) // 2
    classifier = train_classifier(
        [*good[:half], *judging],
        np.repeat([0, 1], [half, len(judging)]),
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
    figures["photographs_learnt"] = len(learnt)
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
    rows = [unseen[:40:4], fake[:40:4], learnt[: 10 * (len(learnt) // 10) : len(learnt) // 10]]
    save_grid(picture("defect_synthesis.png"), rows, [""] * 10, ["good", "made", "real"], CONFIG)


def _defective(tiles: list[dict[str, Path]]) -> list[np.ndarray]:
    """A crop around the largest defect of every photograph of the tiles."""
    crops = []
    for tile in tiles:
        for lighting in LIGHTINGS:
            if lighting in tile:
                image, mask = read_image(tile[lighting]), read_image(mask_of(tile[lighting]))
                count, _, boxes, centres = cv2.connectedComponentsWithStats((mask > 127).view("u1"))
                if count > 1:
                    largest = 1 + int(np.argmax(boxes[1:, cv2.CC_STAT_AREA]))
                    crops.append(_crop(image, *centres[largest]))
    return crops


def _anywhere(path: Path, rng: np.random.Generator) -> np.ndarray:
    image = read_image(path)
    return _crop(image, *(rng.random(2) * image.shape[::-1]))


def _crop(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """A square of SIDE pixels around (x, y) of the scaled image, moved to lie within it."""
    scale = LONGEST / max(image.shape)
    # A narrow tile is made as wide as the crop.
    scale = max(scale, SIDE / min(image.shape))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top = int(np.clip(y * scale - SIDE / 2, 0, max(0, small.shape[0] - SIDE)))
    left = int(np.clip(x * scale - SIDE / 2, 0, max(0, small.shape[1] - SIDE)))
    return small[top : top + SIDE, left : left + SIDE]


if __name__ == "__main__":
    main()
