import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import digits
import numpy as np
import pytest
import torch

from anomgan import GANomaly
from anomgan.config_values import without_idle
from anomgan.data.flange import write_line
from anomgan.detectors import METHODS

ROOT = Path(__file__).parents[1]
TINY = {
    "view": {"size": 32},
    "network": {"features": 8, "latent_dim": 8},
    "training": {"steps": 20, "batch_size": 8},
    "calibration": {"minimum": 6, "share": 0.2, "false_alarm_rate": 0.2},
}
"""Settings under which a fit takes a second or two."""
MODEL_FILES = {"model.json", "weights.safetensors", "history.csv"}
"""What every trained model has."""
SHORT = {"training": {"steps": 2, "batch_size": 8}, "network": {"features": 4}}
SMALL = {"backbone": {"long_side": 64}}
ENCODER = {"encoder": {"steps": 2, "features": 4}}
SETTINGS = {
    "anogan": SHORT | ENCODER | {"search": {"steps": 20}},
    "egbad": SHORT,
    "f-anogan": SHORT | ENCODER,
    "ganomaly": SHORT,
    "autoencoder": SHORT,
    **dict.fromkeys(("eigenmaps", "gaussian", "place-gaussian"), SMALL),
    "coreset": SMALL | {"keep": 500},
}
"""Settings under which each method fits a few digits in no time."""


def code_blocks(language: str, text: str) -> list[str]:
    """The blocks of code in a language in a page of the documentation."""
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)


@contextmanager
def a_callers_state() -> Iterator[None]:
    """Everything that a program may have set in torch, and that must not matter."""
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode(), torch.autocast("cpu"), torch.device("meta"):
            yield
            assert torch.is_inference_mode_enabled() and torch.is_autocast_enabled("cpu")
            assert torch.empty(0).device.type == "meta"
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def file_limit(size: int) -> Iterator[None]:
    """Files cannot grow past so many bytes meanwhile, as on a disk that is about to be full."""
    resource = pytest.importorskip("resource", reason="file size limits need a Unix system")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Folder of a real data set by name; the test is skipped where it is absent."""
    base = Path(os.environ.get("ANOMGAN_DATA", ROOT.parent / "shared" / "data"))

    def find(name: str) -> Path:
        if not (base / name).is_dir():
            pytest.skip(f"real data {name} not found in {base}; set ANOMGAN_DATA")
        return base / name

    return find


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small line of rendered parts: 24 good to learn from, 3 good and 3 of each defect."""
    folder = tmp_path_factory.mktemp("line")
    write_line(folder, 24, 3, 3, size=96)
    return folder


@pytest.fixture(scope="session")
def images() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Zeros to learn from, and all kinds of digits to score."""
    all_images, labels = digits.load()
    return list(all_images[labels == 0][:30]), list(all_images[:12])


@pytest.fixture(scope="session")
def models(
    images: tuple[list[np.ndarray], list[np.ndarray]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Finds the folder of a model that saw a few digits whole, by the name of its method."""
    folder = tmp_path_factory.mktemp("models")

    def find(name: str) -> Path:
        if not (folder / name).exists():
            values = digits.WHOLE | SETTINGS.get(name, {})
            kind = METHODS[name]
            made = kind.from_settings(without_idle(kind.settings_type, values), "cpu")
            made.fit(images[0]).save(folder / name)
        return folder / name

    return find


@pytest.fixture(scope="session")
def whole_model(line: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores many images together."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    whole = TINY | {"view": {"kind": "whole", "size": 32}}
    GANomaly(device="cpu", **whole).fit(line / "train" / "good").save(folder)
    return folder


@pytest.fixture(scope="session")
def patch_model(line: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scores one image after the other."""
    folder = tmp_path_factory.mktemp("patches") / "model"
    GANomaly(device="cpu", **TINY).fit(line / "train" / "good").save(folder)
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _notes_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every note is said again, as in a new process."""
    monkeypatch.setattr("anomgan.machine.notes._said", set())
