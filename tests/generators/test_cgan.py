import numpy as np
import pytest
import torch
from conftest import MODEL_FILES
from digits import load

from anomgan.data.labels import LabelledImages, LabelSet
from anomgan.errors import InputError, SettingsError
from anomgan.generators import load_gan, load_translator, train_generator
from anomgan.generators.cgan import CGAN, CGANSettings
from anomgan.losses import discriminator_matching, generator_non_saturating

CLASSES = LabelSet(("zero", "one", "two"), exclusive=True)
TRAITS = LabelSet(("round", "thin"), exclusive=False)
SMALL = {
    "generator": "cgan",
    "device": "cpu",
    "view": {"size": 16},
    "network": {"latent_dim": 8, "features": 8, "embedding_dim": 8},
    "training": {"steps": 3, "batch_size": 8, "ema": 0.5},
}


@pytest.fixture(scope="module")
def digits():
    images, labels = load()
    return {name: list(images[labels == digit, ::2, ::2][:60]) for digit, name in enumerate("ab")}


def make(one=CLASSES, **settings):
    torch.manual_seed(0)
    values = {"latent_dim": 6, "features": 2, "embedding_dim": 4} | settings
    return CGAN(16, 1, CGANSettings(**values), (one,))


@pytest.mark.parametrize("matching_aware", [True, False])
def test_the_discriminator_judges_its_pairs_and_then_the_generator_follows(matching_aware):
    gan = make(matching_aware=matching_aware)
    x, c = torch.randn(6, 1, 16, 16), torch.eye(3).repeat(2, 1)
    judge = gan.networks["discriminator"].eval()
    torch.manual_seed(1)
    first, second = list(gan.step(x, c))
    assert (first.player, second.player) == ("discriminator", "generator")
    torch.manual_seed(1)
    fake = gan.generate(torch.randn(6, 6), c)
    wrong = judge(x, gan.mislabel(c)) if matching_aware else None
    expected = discriminator_matching(judge(x, c), judge(fake, c), wrong)
    assert first.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    expected = generator_non_saturating(judge(fake, c))
    assert second.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_wrong_class_is_another_one():
    c = torch.eye(3)[torch.arange(300) % 3]
    wrong = make().mislabel(c)
    assert (wrong.sum(1) == 1).all() and (wrong.argmax(1) != c.argmax(1)).all()
    turned = (wrong.argmax(1) - c.argmax(1)) % 3
    assert 100 < (turned == 1).sum() < 200, "any other"


def test_wrong_attributes_are_any_others_and_never_the_right_ones():
    for right in ([0.0, 0.0], [1.0, 0.0], [1.0, 1.0]):
        wrong = make(TRAITS).mislabel(torch.tensor([right]).repeat(600, 1)).tolist()
        others = [[a, b] for a in (0.0, 1.0) for b in (0.0, 1.0) if [a, b] != right]
        counts = [wrong.count(other) for other in others]
        assert sum(counts) == 600 and all(150 < count < 250 for count in counts)


@pytest.mark.parametrize("told", ["plane", "embedding", "projection"])
def test_each_class_comes_to_look_like_its_images(digits, told):
    values = SMALL | {
        "network": SMALL["network"] | {"told": told},
        "training": {"steps": 150, "batch_size": 16, "learning_rate": 2e-3, "ema": 0.9},
    }
    model = train_generator(digits, **values)
    means = {name: np.mean(images, axis=0) for name, images in digits.items()}
    for name, other in ("ab", "ba"):
        drawn = model.sample(32, label=name).mean(axis=0)
        near, far = (np.abs(drawn - means[which]).mean() for which in (name, other))
        assert near < 0.8 * far


def test_a_saved_generator_draws_the_same_samples(digits, tmp_path):
    model = train_generator(digits, work_folder=tmp_path / "work", samples_every=2, **SMALL)
    model.save(tmp_path / "gan")
    files = {path.name for path in (tmp_path / "gan").iterdir()}
    assert files == MODEL_FILES | {"losses.png", "samples.png", "samples"}
    assert [path.name for path in (tmp_path / "gan" / "samples").iterdir()] == ["0000002.png"]
    again = load_gan(tmp_path / "gan", device="cpu")
    assert again.names == ["a", "b"]
    for label in ("a", "b", None):
        samples = model.sample(4, seed=3, label=label)
        assert samples.shape == (4, 16, 16)
        assert np.array_equal(samples, again.sample(4, seed=3, label=label))
    with pytest.raises(Exception, match="holds a cgan, which translates nothing"):
        load_translator(tmp_path / "gan")


def test_without_a_label_the_classes_take_turns(digits):
    model = train_generator(digits, **SMALL)
    mixed, first, second = (model.sample(6, label=label) for label in (None, "a", "b"))
    assert np.array_equal(mixed[::2], first[::2]) and np.array_equal(mixed[1::2], second[1::2])
    assert not np.array_equal(first, second)


def test_the_way_between_two_images_keeps_the_label(digits):
    model = train_generator(digits, **SMALL)
    way = model.interpolate(5, seed=1, label="b")
    ends = model.sample(2, seed=1, label="b")
    assert np.abs(way[[0, -1]].astype(int) - ends).max() <= 1
    assert np.array_equal(model.interpolate(3), model.interpolate(3, label="a"))


def test_a_generator_that_was_stopped_is_resumed_to_the_same_weights(digits, tmp_path):
    first, rest = (SMALL | {"training": {"steps": steps, "batch_size": 8}} for steps in (4, 9))
    train_generator(digits, work_folder=tmp_path, **first)
    went_on = train_generator(digits, work_folder=tmp_path, resume=True, **rest)
    whole = train_generator(digits, **rest)
    assert np.array_equal(went_on.sample(4), whole.sample(4))


def test_a_checkpoint_of_other_labels_is_refused(digits, tmp_path):
    train_generator(digits, work_folder=tmp_path, **SMALL)
    renamed = {"b": digits["a"], "a": digits["b"]}
    with pytest.raises(Exception, match="other images"):
        train_generator(renamed, work_folder=tmp_path, resume=True, **SMALL)


def test_attributes_are_asked_for_by_name(digits):
    images = [*digits["a"][:20], *digits["b"][:20]]
    labels = np.array([[1, 0]] * 20 + [[0, 1]] * 20, np.float32)
    labelled = LabelledImages(images, labels, (TRAITS,), np.zeros(40, int))
    model = train_generator(labelled, **SMALL)
    assert model.encode("round").tolist() == [[1, 0]]
    assert model.encode("thin, round").tolist() == [[1, 1]]
    assert model.encode("thin=0").tolist() == [[0, 0]]
    assert model.sample(3, label="round,thin").shape == (3, 16, 16)
    with pytest.raises(SettingsError, match="say which attributes: round, thin"):
        model.sample(3)


def test_what_cannot_be_learnt_or_drawn_is_explained(digits):
    with pytest.raises(InputError, match="a list of images has no labels; give a folder"):
        train_generator(digits["a"], **SMALL)
    with pytest.raises(SettingsError, match="labels of one data set, not of several"):
        CGAN(16, 1, CGANSettings(), (CLASSES, TRAITS))
    model = train_generator(digits, **SMALL)
    with pytest.raises(SettingsError, match="unknown label 'c': it knows a, b"):
        model.sample(1, label="c")
    with pytest.raises(SettingsError, match="a and b exclude each other: name one"):
        model.sample(1, label="a,b")
    with pytest.raises(SettingsError, match="a=0: name the class that is wanted"):
        model.sample(1, label="a=0")
    with pytest.raises(SettingsError, match="a=no: write a, a=1 or a=0"):
        model.sample(1, label="a=no")
    values = SMALL | {"generator": "dcgan", "network": {"features": 4}}
    plain = train_generator(digits["a"], **values)
    with pytest.raises(SettingsError, match="unknown label 'a': it knows no labels"):
        plain.sample(1, label="a")
