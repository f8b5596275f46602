import inspect
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Unpack, get_args, get_type_hints

import pytest
import typed_arguments
from conftest import ROOT

from anomgan import GANomaly
from anomgan.config_values import build_settings
from anomgan.detectors import DETECTORS, METHODS
from anomgan.detectors.exported import Exported
from anomgan.errors import SettingsError


@pytest.mark.parametrize("path", typed_arguments.FILES)
def test_typed_sections_are_those_of_the_settings(path):
    written = typed_arguments.FILES[path]()
    assert path.read_text(encoding="utf-8") == written, "run: python tests/typed_arguments.py"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_signature_and_its_types_name_the_same_arguments(name):
    given = get_type_hints(METHODS[name].__init__)["given"]
    (typed,) = get_args(given)
    assert given == Unpack[typed]
    assert inspect.signature(METHODS[name]).parameters.keys() == get_type_hints(typed).keys()


def test_a_constructor_takes_the_settings_that_have_an_effect():
    everywhere = ["image", "calibration", "score", "weights", "heatmap_weights"]
    own = ["view", "training", "backbone", "network", "loss"]
    parameters = inspect.signature(GANomaly).parameters
    assert {*parameters} == {"device", "seed", "space", *everywhere, *own}
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in parameters.values())
    assert {name: parameters[name].default for name in ("device", "seed", "space", "image")} == {
        "device": "auto",
        "seed": 0,
        "space": "pixels",
        "image": None,
    }
    parameters = inspect.signature(METHODS["coreset"]).parameters
    mine = ["backbone", "vectors", "keep", "candidates"]
    assert {*parameters} == {"device", "seed", "space", *everywhere, *mine}
    assert parameters["space"].default == "features"
    parameters = inspect.signature(METHODS["mean-image"]).parameters
    assert {*parameters} == {"device", "seed", "space", *everywhere, "view"}


def test_a_subclass_shows_its_own_constructor_if_it_has_one():
    class Quick(GANomaly):
        def __init__(self, minutes: float = 1.0) -> None:
            super().__init__(training={"minutes": minutes})

    class Named(GANomaly):
        pass

    assert str(inspect.signature(Quick)) == "(minutes: float = 1.0) -> None"
    assert inspect.signature(Named) == inspect.signature(GANomaly)
    assert list(inspect.signature(Exported).parameters)[0] == "settings"


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_help_names_every_argument_and_key(name):
    text = inspect.getdoc(METHODS[name])
    settings = build_settings(METHODS[name].settings_type, {})
    for argument in inspect.signature(METHODS[name]).parameters:
        assert f"    {argument}: " in text
        section = getattr(settings, argument, None)
        for key in getattr(type(section), "model_fields", ()):
            assert f"        {key}: " in text
    assert "pixels; side of the square" in text


def test_a_repr_shows_what_differs_from_the_defaults():
    made = GANomaly(space="features", device="cpu", training={"steps": 3000, "ema": 0.995})
    assert repr(made) == "GANomaly(device='cpu', space='features', training={'steps': 3000})"
    assert repr(GANomaly()) == "GANomaly()"


def test_a_misspelt_name_is_refused_by_a_call_and_explained_by_settings():
    with pytest.raises(TypeError, match="trainning"):
        GANomaly(trainning={})
    with pytest.raises(SettingsError, match=r"unknown key trainning \(known here: seed, image"):
        GANomaly.from_settings({"trainning": {}})


RIGHT = """
from anomgan import GANomaly, load
made = GANomaly(space="features", training={"steps": 3000}, backbone={"stages": [1, 2]})
score: float = made.fit("ok/").score("part.png").score
on_pixels = GANomaly(view={"size": 64}, score={"top_share": 0.1})
verdicts = load("model").predict(["part.png"])
"""
WRONG = {
    "GANomaly(trainning={})": 'Unexpected keyword argument "trainning"',
    'GANomaly(training={"step": 3})': 'Argument "training"',
    'GANomaly(training={"steps": "3"})': 'Argument "training"',
    'GANomaly(space="pixel")': '"space"',
    "GANomaly(search={})": 'Unexpected keyword argument "search"',
    "GANomaly(device=0)": '"device"',
}


def test_mypy_knows_the_constructors(tmp_path):
    if find_spec("mypy") is None:
        pytest.skip("mypy is not installed; pip install anomgan[dev]")
    lines = [*RIGHT.splitlines(), *WRONG]
    (tmp_path / "snippet.py").write_text("\n".join(lines))
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nignore_missing_imports = true\nfollow_imports = silent\n")
    command = [sys.executable, "-m", "mypy", "--config-file", config, tmp_path / "snippet.py"]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    said = done.stdout.splitlines()
    first = len(RIGHT.splitlines()) + 1
    for number, (line, message) in enumerate(WRONG.items(), start=first):
        about = [one for one in said if f"snippet.py:{number}: error" in one]
        assert any(message in one for one in about), f"{line}: {about or done.stdout + done.stderr}"
    errors = [one for one in said if "snippet.py" in one and ": error:" in one]
    assert len(errors) >= len(WRONG)
    assert all(int(one.split("snippet.py:")[1].split(":")[0]) >= first for one in errors), errors


def test_editors_are_told_that_the_package_is_typed():
    import anomgan

    assert (Path(anomgan.__file__).parent / "py.typed").is_file()
