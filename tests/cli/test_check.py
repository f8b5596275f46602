import json
import os
from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image

from anomgan.cli.check import describe_glance
from anomgan.data.folders import list_images


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    """Runs `anomgan check` in a folder of its own; gives exit code, output and error."""
    monkeypatch.chdir(tmp_path)
    return partial(run, "check")


@pytest.fixture
def ok(tmp_path, line):
    """Good parts, one of them blurred, and a file that is no image."""
    folder = tmp_path / "ok"
    folder.mkdir()
    for path in sorted((line / "train" / "good").glob("*.png")):
        image = np.asarray(Image.open(path))
        if path.stem.endswith("005"):
            image = cv2.GaussianBlur(image, (0, 0), 3)
        Image.fromarray(image).save(folder / path.name)
    (folder / "broken.png").write_bytes(b"no image")
    return folder


def test_what_stands_out_is_printed_and_drawn_and_nothing_is_changed(run, ok, tmp_path):
    before = {path.name: path.read_bytes() for path in ok.iterdir()}
    code, out, _ = run(ok, "--drop-list", "drop.txt")
    assert code == 0
    assert "24 images" in out and "broken.png" in out and "Blur: 1 image" in out
    assert "Picture: anomgan-check.png" in out
    assert Image.open(tmp_path / "anomgan-check.png").size[0] > 500
    dropped = (tmp_path / "drop.txt").read_text().splitlines()
    assert str(ok / "broken.png") in dropped and len(dropped) == len(set(dropped)) < 6
    assert {path.name: path.read_bytes() for path in ok.iterdir()} == before


def test_json_holds_the_facts_of_every_image(run, ok):
    code, out, _ = run(ok, "--json")
    found = json.loads(out)
    assert code == 0 and len(found["images"]) == 24
    assert all(np.isfinite(one["score"]) and one["width"] == 96 for one in found["images"])
    assert {"unreadable", "blur"} <= {one["kind"] for one in found["findings"]}


@pytest.mark.skipif(os.name != "posix", reason="names of any bytes")
def test_names_in_the_drop_list_are_as_they_are(run, tmp_path):
    folder = tmp_path / "ok"
    folder.mkdir()
    name = os.path.join(os.fsencode(folder), b"a\xff b.png")
    with open(name, "wb") as file:
        file.write(b"no image")
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(folder / "good.png")
    code, _, _ = run(folder, "--drop-list", "drop.txt")
    assert code == 0 and (tmp_path / "drop.txt").read_bytes() == name + b"\n"


def test_a_folder_without_images_is_bad_input(run, tmp_path):
    code, _, err = run(tmp_path / "nowhere")
    assert code == 2 and "there is no folder" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "sheet.jpg"], "must end in .png"),
        (["--out", "ok"], "must end in .png"),
        (["--drop-list", "ok/broken.png"], "must not end like an image"),
    ],
)
def test_no_photograph_is_overwritten(run, ok, options, message):
    code, out, err = run("ok", *options)
    assert (code, out) == (2, "") and message in err
    assert (ok / "broken.png").read_bytes() == b"no image"


def test_a_fit_says_in_three_lines_what_a_glance_shows(ok, line):
    lines = describe_glance(ok, list_images(ok))
    assert 2 <= len(lines) <= 3
    assert "Blur" in lines[0] and "anomgan check" in lines[-1]
    good = line / "train" / "good"
    assert describe_glance(good, list_images(good)) == []
