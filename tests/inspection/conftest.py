import pytest

from anomgan import GANomaly
from conftest import TINY


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
