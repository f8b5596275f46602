"""Images of four kinds of weather: CycleGAN (shine, sunrise), StarGAN and StarGAN v2.

    python benchmarks/translate_weather.py
    python benchmarks/translate_weather.py --configs stargan_weather --set view.size=128

Every test image is translated to every other domain, by StarGAN v2 in a random style of its own. A
classifier of domains, trained on the real training images, predicts whether a translation shows the
target domain, also for shine and sunrise alone, which CycleGAN learns. KID compares the
translations with real test images of that domain; the KID of the inputs is the value to beat. A
translation keeps the picture if its perceptual distance to its input is below that to another
image. The diversity of StarGAN v2 is measured on translations of one image in ten styles.
"""

from pathlib import Path

import numpy as np
from generator_study import judge, keep, keep_real, labelled, parser_of, trained
from study import DATA, RESULTS

from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.evaluation.classifier import Classifier
from anomgan.evaluation.perceptual import BackboneDistance, PerceptualDistance
from anomgan.generators import TrainedTranslator
from anomgan.metrics.generation import diversity, kid
from anomgan.pictures import save_grid

STUDY = "translate_weather"
DOMAINS = ("cloudy", "rain", "shine", "sunrise")
PAIR = ("shine", "sunrise")
CONFIGS = {
    "cyclegan_weather": PAIR,
    "stargan_weather": DOMAINS,
    "stargan_v2_weather": DOMAINS,
}
STYLES = 10
"""Styles for each image and domain, for the diversity."""
DIVERSE = 8
"""Images of each domain whose translations are compared in all styles."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--configs", nargs="+", default=CONFIGS)
    parser.add_argument("--set", nargs="+", default=[], help="other settings, section.key=value")
    options = parser.parse_args()
    models = {
        config: trained(STUDY, config, _folders(CONFIGS[config]), options.device, options.set)
        for config in options.configs
    }
    if options.only_train:
        return
    classifier = judge(
        STUDY, DOMAINS, lambda: labelled(_read("train")), size=64, steps=600, device=options.device
    )
    test = _read("test")
    _keep_classifier(classifier, test)
    distance = BackboneDistance(options.device)
    for config, model in models.items():
        assert isinstance(model, TrainedTranslator)
        domains = CONFIGS[config]
        figures = _measure(model, {name: test[name] for name in domains}, classifier, distance)
        if domains != PAIR:
            pair = _measure(model, {name: test[name] for name in PAIR}, classifier, distance)
            figures["sees_asked_pair"] = pair["sees_asked"]
        if config.startswith("stargan_v2"):
            figures |= _diversity(model, test, classifier)
        keep(STUDY, model, config, figures)
        print(config, figures)
        examples = [model.preparation(image) for name in domains for image in test[name][:2]]
        rows = [
            [image, *(model.apply(image, model.style(name, seed=seed)) for name in domains)]
            for seed, image in enumerate(examples)
        ]
        name = f"{config}_{model.settings.view.size}" if options.set else config
        save_grid(RESULTS / f"{name}.png", rows, ["input", *domains], title=config)


def _folders(domains: tuple[str, ...]) -> dict[str, Path]:
    """Return shine2sunrise for two domains, in the usual unpaired layout; otherwise weather."""
    if len(domains) == 2:
        both = zip(domains, ("trainA", "trainB"), strict=True)
        return {name: DATA / "shine2sunrise" / folder for name, folder in both}
    return {name: DATA / "weather" / "train" / name for name in domains}


def _read(part: str) -> dict[str, list[np.ndarray]]:
    """Read the images of "train" or "test", by domain."""
    folder = DATA / "weather" / part
    return {name: [read_image(path) for path in list_images(folder / name)] for name in DOMAINS}


def _keep_classifier(classifier: Classifier, test: dict[str, list[np.ndarray]]) -> None:
    """Measure the accuracy of the classifier on real test images."""
    right = [
        float(np.mean(classifier.predict(images) == number))
        for number, images in enumerate(test.values())
    ]
    keep_real(STUDY, "real photographs", {"sees_asked": float(np.mean(right))})


def _measure(
    model: TrainedTranslator,
    test: dict[str, list[np.ndarray]],
    classifier: Classifier,
    perceptual: PerceptualDistance,
) -> dict[str, float]:
    """Measure translations from all other domains, the mean over domains."""
    seen, distance, untouched, own, other = [], [], [], [], []
    for target, real in test.items():
        sources = [image for name, images in test.items() if name != target for image in images]
        inputs = [model.preparation(image) for image in sources]
        # A style for each image: one drawn style may be far better or worse than most.
        results = [
            model.apply(image, model.style(target, seed=seed)) for seed, image in enumerate(inputs)
        ]
        asked = classifier.names.index(target)
        seen.append(float(np.mean(classifier.predict(results) == asked)))
        features = classifier.features([model.preparation(image) for image in real])
        distance.append(kid(features, classifier.features(results)))
        untouched.append(kid(features, classifier.features(inputs)))
        # In one random round, so that no image meets itself.
        order = np.random.default_rng(0).permutation(len(inputs))
        following = dict(zip(order.tolist(), np.roll(order, -1).tolist(), strict=True))
        others = [inputs[following[number]] for number in range(len(inputs))]
        own.append(float(perceptual.between(results, inputs).mean()))
        other.append(float(perceptual.between(results, others).mean()))
    return {
        "sees_asked": float(np.mean(seen)),
        **{f"sees_asked_{target}": share for target, share in zip(test, seen, strict=True)},
        "kid_classifier": float(np.mean(distance)),
        "kid_classifier_input": float(np.mean(untouched)),
        f"{perceptual.name}_to_input": float(np.mean(own)),
        f"{perceptual.name}_to_other": float(np.mean(other)),
        "n_test": sum(len(images) for images in test.values()),
    }


def _diversity(
    model: TrainedTranslator, test: dict[str, list[np.ndarray]], classifier: Classifier
) -> dict[str, float]:
    """Measure the mean distance of translations of one image, with random and reference styles."""
    drawn, shown, real = [], [], []
    for target, references in test.items():
        styles = [model.style(target, seed=seed) for seed in range(STYLES)]
        by_reference = [model.style(target, image) for image in references[:STYLES]]
        real.append(diversity(classifier.features(references)))
        for name, images in test.items():
            for image in images[:DIVERSE] if name != target else ():
                prepared = model.preparation(image)
                for group, kinds in ((drawn, styles), (shown, by_reference)):
                    results = [model.apply(prepared, style) for style in kinds]
                    group.append(diversity(classifier.features(results)))
    return {
        "diversity_classifier_latent": float(np.mean(drawn)),
        "diversity_classifier_reference": float(np.mean(shown)),
        "diversity_classifier_real": float(np.mean(real)),
    }


if __name__ == "__main__":
    main()
