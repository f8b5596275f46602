"""StarGAN on two sets of digits with different labels, joined by mask vectors.

    python benchmarks/joint_labels.py

The images are coloured digits of MNIST. Half of them have a label for the colour only (red, green,
blue), the others for the stroke only (thin, thick); colour and stroke vary in both halves. Test
digits are translated to every label of both sets. The colour is measured by the brightest channel,
the stroke by a classifier trained on real digits. Everything else should stay the same, above all
the digit itself.
"""

import cv2
import numpy as np
from generator_study import keep, parser_of, trained
from study import DATA, RESULTS

from anomgan.data.labels import LabelledImages, from_domains, join
from anomgan.data.mnist import read_mnist
from anomgan.evaluation.classifier import Classifier, train_classifier
from anomgan.generators import TrainedTranslator
from anomgan.pictures import save_grid

STUDY = "joint_labels"
CONFIG = "stargan_joint"
COLOURS = {"red": (1.0, 0.25, 0.25), "green": (0.25, 1.0, 0.25), "blue": (0.25, 0.25, 1.0)}
STROKES = ("thin", "thick")
PER_SET = 3000
TEST = 300


def main() -> None:
    options = parser_of(__doc__).parse_args()
    digits, shown = read_mnist(DATA / "mnist", train=True)
    model = trained(STUDY, CONFIG, _both_sets(digits[: 2 * PER_SET]), options.device)
    if options.only_train:
        return
    assert isinstance(model, TrainedTranslator)
    images, colours, strokes = coloured(digits[2 * PER_SET : 4 * PER_SET], seed=1)
    grey = images.max(3)
    classifier = train_classifier(
        grey, strokes, STROKES, size=32, steps=300, seed=0, device=options.device
    )
    reader = train_classifier(
        grey,
        shown[2 * PER_SET : 4 * PER_SET],
        [str(digit) for digit in range(10)],
        size=32,
        steps=600,
        seed=0,
        device=options.device,
    )
    test, shown = read_mnist(DATA / "mnist", train=False)
    images, colours, strokes = coloured(test[:TEST], seed=2)
    figures = {"sees_real_stroke": float(np.mean(classifier.predict(images.max(3)) == strokes))}
    read = [
        reader.predict(np.stack(list(model.translate(list(images), to=name))).max(3))
        for name in model.names
    ]
    figures["reads_real_digit"] = float(np.mean(reader.predict(images.max(3)) == shown[:TEST]))
    figures["digit_stays"] = float(np.mean(np.stack(read) == shown[:TEST]))
    figures |= _measure(model, images, colours, strokes, classifier)
    keep(STUDY, model, CONFIG, figures)
    print(figures)
    columns = [*COLOURS, *STROKES]
    rows = [
        [image, *(next(model.translate([image], to=name)) for name in columns)]
        for image in images[:8]
    ]
    save_grid(RESULTS / "joint_labels.png", rows, ["input", *columns], title=CONFIG)


def coloured(digits: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Render digits [N, 28, 28] as RGB [N, 32, 32, 3] in random colours and strokes; return both.

    A thin stroke is the eroded digit, a thick stroke the dilated digit, at twice its size.
    """
    rng = np.random.default_rng(seed)
    colours, strokes = rng.integers(3, size=len(digits)), rng.integers(2, size=len(digits))
    palette = np.array(list(COLOURS.values()))
    images = []
    for digit, colour, stroke in zip(digits, colours, strokes, strict=True):
        large = cv2.resize(digit, (56, 56), interpolation=cv2.INTER_LINEAR)
        change = (cv2.erode, cv2.dilate)[stroke]
        changed = change(large, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4, 4)))
        small = np.pad(cv2.resize(changed, (28, 28), interpolation=cv2.INTER_AREA), 2)
        images.append(np.rint(small[:, :, None] * palette[colour]).astype(np.uint8))
    return np.stack(images), colours, strokes


def _both_sets(digits: np.ndarray) -> LabelledImages:
    first, colours, _ = coloured(digits[:PER_SET], seed=3)
    second, _, strokes = coloured(digits[PER_SET:], seed=4)
    by_colour = {name: list(first[colours == i]) for i, name in enumerate(COLOURS)}
    by_stroke = {name: list(second[strokes == i]) for i, name in enumerate(STROKES)}
    return join([from_domains(by_colour), from_domains(by_stroke)])


def _measure(
    model: TrainedTranslator,
    images: np.ndarray,
    colours: np.ndarray,
    strokes: np.ndarray,
    classifier: Classifier,
) -> dict[str, float]:
    """Measure how often the target label is seen, and how often the other set's label stays."""
    given, kept = {}, {}
    for number, name in enumerate(COLOURS):
        results = np.stack(list(model.translate(list(images), to=name)))
        given[name] = np.mean(_colour(results) == number)
        kept[name] = np.mean(classifier.predict(results.max(3)) == strokes)
    for number, name in enumerate(STROKES):
        results = np.stack(list(model.translate(list(images), to=name)))
        given[name] = np.mean(classifier.predict(results.max(3)) == number)
        kept[name] = np.mean(_colour(results) == colours)
    return {
        "colour_asked_is_seen": float(np.mean([given[name] for name in COLOURS])),
        "stroke_asked_is_seen": float(np.mean([given[name] for name in STROKES])),
        "stroke_stays_under_new_colour": float(np.mean([kept[name] for name in COLOURS])),
        "colour_stays_under_new_stroke": float(np.mean([kept[name] for name in STROKES])),
    }


def _colour(images: np.ndarray) -> np.ndarray:
    return images.sum(axis=(1, 2)).argmax(1)


if __name__ == "__main__":
    main()
