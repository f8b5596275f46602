import importlib.util

import pytest
import typed_arguments
from conftest import ROOT, TINY, code_blocks

from anomgan.detectors import METHODS, load


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """The detector of CONTRIBUTING.md, saved as a module and listed among the detectors."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = code_blocks("python", text)
    assert len(code.splitlines()) < 80
    file = tmp_path / "mirror.py"
    file.write_text(code)
    spec = importlib.util.spec_from_file_location("mirror", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setitem(METHODS, "mirror", module.Mirror)
    return module.Mirror


def test_the_worked_example_fits_scores_and_is_loaded_again(mirror, line, tmp_path):
    detector = mirror(device="cpu", **TINY).fit(line / "train" / "good")
    part = next((line / "test" / "good").iterdir())
    result = detector.score(part)
    assert result.heatmap.shape == result.reconstruction.shape[:2]
    assert detector.fitted.history[-1].keys() >= {"error", "fooling", "discriminator"}
    detector.save(tmp_path / "model")
    assert load(tmp_path / "model", "cpu").score(part).score == result.score


def test_the_types_of_its_arguments_are_written_before_it_has_a_constructor(mirror):
    text = typed_arguments.render()
    assert "class MirrorOptions(" in text and "network: MirrorNetworkOptions | None" in text
