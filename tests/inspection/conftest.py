import digits
import pytest
from conftest import TINY

from anomgan import GANomaly
from anomgan.config import without_idle
from anomgan.detectors import METHODS

SHORT = {"training": {"steps": 2, "batch_size": 8}, "network": {"features": 4}}
SMALL = {"backbone": {"long_side": 64}}
ENCODER = {"encoder": {"steps": 2, "features": 4}}
SETTINGS = {
    "anogan": SHORT | ENCODER | {"search": {"steps": 20}},
    "egbad": SHORT,
    "f-anogan": SHORT | ENCODER,
    "ganomaly": SHORT,
    "restoration": SHORT,
    "autoencoder": SHORT,
    **dict.fromkeys(("eigenmaps", "gaussian", "place-gaussian"), SMALL),
    "coreset": SMALL | {"keep": 500},
}


def _used(name, values):
    return without_idle(METHODS[name].settings_type, values)


@pytest.fixture(scope="session")
def images():
    """Zeros to learn from, and all kinds of digits to score."""
    all_images, labels = digits.load()
    return list(all_images[labels == 0][:30]), list(all_images[:12])


@pytest.fixture(scope="session")
def models(images, tmp_path_factory):
    """Finds the folder of a model that saw a few digits whole, by the name of its method."""
    folder = tmp_path_factory.mktemp("models")

    def find(name):
        if not (folder / name).exists():
            values = digits.WHOLE | SETTINGS.get(name, {})
            made = METHODS[name].from_settings(_used(name, values), "cpu")
            made.fit(images[0]).save(folder / name)
        return folder / name

    return find


@pytest.fixture(scope="session")
def whole_model(line, tmp_path_factory):
    """Scores many images together."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    whole = TINY | {"view": {"kind": "whole", "size": 32}}
    GANomaly(device="cpu", **whole).fit(line / "train" / "good").save(folder)
    return folder


@pytest.fixture(scope="session")
def patch_model(line, tmp_path_factory):
    """Scores one image after the other."""
    folder = tmp_path_factory.mktemp("patches") / "model"
    GANomaly(device="cpu", **TINY).fit(line / "train" / "good").save(folder)
    return folder
