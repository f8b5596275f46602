import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from anomgan.data.flange import write_line

ROOT = Path(__file__).parents[1]
TINY = {
    "view": {"size": 32},
    "network": {"features": 8, "latent_dim": 8},
    "training": {"steps": 20, "batch_size": 8},
    "calibration": {"minimum": 6, "share": 0.2, "false_alarm_rate": 0.2},
}
"""Settings under which a fit takes a second or two."""


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


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
