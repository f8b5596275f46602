import json

import numpy as np
import pytest
import torch
from conftest import MODEL_FILES, a_callers_state
from digits import load

from anomgan.errors import InputError, ModelError, SettingsError
from anomgan.evaluation.classifier import load_classifier, train_classifier
from anomgan.evaluation.feature_networks import FeatureNetwork
from anomgan.evaluation.quality import measure
from anomgan.metrics.generation import diversity

NAMES = [str(digit) for digit in range(10)]
TINY = {"size": 16, "steps": 3, "device": "cpu"}


@pytest.fixture(scope="module")
def digits():
    images, labels = load()
    return images[:, ::2, ::2], labels


@pytest.fixture(scope="module")
def classifier(digits):
    images, labels = digits
    return train_classifier(images[:1200], labels[:1200], NAMES, size=16, steps=300, device="cpu")


def test_digits_that_it_never_saw_are_told_apart(classifier, digits):
    images, labels = digits[0][1200:], digits[1][1200:]
    assert (classifier.predict(images) == labels).mean() > 0.9
    chances = classifier.probabilities(images)
    assert chances.shape == (len(images), 10) and np.allclose(chances.sum(1), 1, atol=1e-5)
    assert classifier.history[-1]["step"] == 300
    assert classifier.history[-1]["cross-entropy"] < 0.2 < classifier.history[0]["cross-entropy"]


def test_its_features_tell_good_images_from_bad_and_few_from_many(classifier, digits, rng):
    network: FeatureNetwork = classifier
    first, second = digits[0][:500], digits[0][500:1000]
    noisy = np.clip(first + rng.normal(0, 60, first.shape), 0, 255).astype(np.uint8)
    good, bad = measure(first, second, network), measure(noisy, second, network)
    assert good["network"] == "classifier"
    assert good["fid_classifier"] < 0.5 * bad["fid_classifier"]
    zeros = first[digits[1][:500] == 0]
    assert diversity(network.features(zeros)) < 0.8 * good["diversity_classifier"]


def test_the_same_seed_gives_the_same_weights(digits):
    images, labels = digits[0][:100], digits[1][:100]
    first, same, other = (
        train_classifier(images, labels, NAMES, seed=seed, **TINY).features(images)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, same) and not np.allclose(first, other)


def test_a_saved_classifier_is_the_same_one(classifier, digits, tmp_path):
    classifier.save(tmp_path / "digits")
    files = {path.name for path in (tmp_path / "digits").iterdir()}
    assert files == MODEL_FILES | {"losses.png"}
    again = load_classifier(tmp_path / "digits", "cpu")
    images = digits[0][:70]
    assert again.names == tuple(NAMES)
    assert np.array_equal(again.features(images), classifier.features(images))
    assert np.array_equal(again.predict(images), classifier.predict(images))
    again.save(tmp_path / "copy")
    assert not (tmp_path / "copy" / "history.csv").exists()


def test_coloured_images_of_any_sides_are_taken(rng):
    images = [rng.integers(0, 256, (20, side, 3), dtype=np.uint8) for side in (16, 30, 20)]
    made = train_classifier(images, np.array([0, 1, 0]), ["a", "b"], **TINY)
    assert made.preparation.channels == 3
    assert made.features(images).shape == (3, 256)
    assert made.features(images[0][None, ..., 0]).shape == (1, 256), "grey is taken as RGB"


def test_bad_input_is_explained(digits, tmp_path):
    images, labels = digits[0][:20], digits[1][:20]
    for wrong, said in (
        ({"labels": labels[:3]}, "20 images and labels"),
        ({"labels": labels + 0.5}, "whole numbers from 0 to 9"),
        ({"labels": labels + 5}, "whole numbers from 0 to 9"),
        ({"images": images[:0], "labels": labels[:0]}, "0 images"),
        ({"images": images / 255}, "image 0 is an array of float64"),
    ):
        with pytest.raises(InputError, match=said):
            train_classifier(**{"images": images, "labels": labels, "names": NAMES} | wrong, **TINY)
    with pytest.raises(SettingsError, match="size = 8"):
        train_classifier(images, labels, NAMES, **TINY | {"size": 8})


def test_folders_that_hold_no_classifier_are_refused(classifier, tmp_path):
    classifier.save(tmp_path / "digits")
    card = tmp_path / "digits" / "model.json"
    about = json.loads(card.read_text())
    del about["card_sha256"]  # cards of the first models had none
    for change, said in (
        ({"classes": ["one"]}, "does not fit"),
        ({"preparation": {"size": 16}}, "damaged"),
        ({"classes": None}, "damaged"),
    ):
        card.write_text(json.dumps(about | change))
        with pytest.raises(ModelError, match=said):
            load_classifier(tmp_path / "digits", "cpu")
    del about["classes"]
    card.write_text(json.dumps(about))
    with pytest.raises(ModelError, match="holds a damaged model, not a classifier"):
        load_classifier(tmp_path / "digits", "cpu")


def test_the_callers_state_of_torch_does_not_matter_and_stays(digits, tmp_path):
    images, labels = digits[0][:100], digits[1][:100]
    expected = train_classifier(images, labels, NAMES, **TINY).features(images)
    with torch.random.fork_rng(), a_callers_state():
        before = torch.get_rng_state()
        made = train_classifier(images, labels, NAMES, **TINY)
        made.save(tmp_path / "model")
        copy = load_classifier(tmp_path / "model", "cpu")
        assert torch.equal(torch.get_rng_state(), before)
        assert all(np.array_equal(one.features(images), expected) for one in (made, copy))
