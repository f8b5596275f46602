import json

import pytest

from anomgan.cli.demo import demo
from anomgan.errors import InputError


def test_the_demo_convinces(tmp_path):
    out = tmp_path / "demo"
    demo(out, device="cpu")
    assert json.loads((out / "figures.json").read_text())["image_auroc"] >= 0.95
    report = {"report.html", "figures.json", "scores.csv"}
    assert {path.name for path in out.iterdir()} == report | {"heatmaps", "parts", "anomgan-model"}
    assert len(list((out / "heatmaps").iterdir())) == 5


def test_the_demo_does_not_touch_other_folders(tmp_path):
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(InputError, match="not an earlier demo"):
        demo(tmp_path)
