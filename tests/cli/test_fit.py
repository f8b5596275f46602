import multiprocessing
import os
import random
import time

import cv2
import numpy as np
import pytest
import torch
from conftest import TINY, file_limit

from anomgan import GANomaly
from anomgan.cli.fit import fit_to_folder, make_detector
from anomgan.cli.runs import work_folder
from anomgan.errors import InputError, Interrupted
from anomgan.model_files import read_folder

OFTEN = TINY | {"training": {"steps": 60, "batch_size": 8, "checkpoint_minutes": 1e-9}}


def fit(normal_dir, out, resume=False):
    fit_to_folder(GANomaly(device="cpu", **OFTEN), normal_dir, out, resume=resume)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def good(line):
    return line / "train" / "good"


@pytest.fixture(scope="module")
def expected(good, tmp_path_factory):
    """The weights of a fit that nothing stopped."""
    folder = tmp_path_factory.mktemp("whole") / "model"
    fit(good, folder)
    return read_folder(folder, "")[1]


@pytest.fixture
def earlier(good, tmp_path):
    """A folder with a model of other settings."""
    GANomaly(device="cpu", **TINY).fit(good).save(tmp_path / "model")
    return tmp_path / "model"


def assert_fitted(folder, expected):
    found = read_folder(folder, "")[1]
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.skipif(os.name != "posix", reason="kills by SIGKILL")
def test_a_killed_fit_keeps_the_earlier_model_and_goes_on(good, earlier, expected):
    before, moments = contents(earlier), random.Random(0)
    checkpoint = earlier.with_name("model.training") / "ganomaly.safetensors"
    for _ in range(3):
        seen = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        process = multiprocessing.get_context("fork").Process(
            target=fit, args=(good, earlier, True)
        )
        process.start()
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == seen:
            assert process.is_alive()
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.join()
        assert contents(earlier) == before
    fit(good, earlier, resume=True)
    assert_fitted(earlier, expected)
    assert not checkpoint.parent.exists()


def test_a_full_disk_keeps_the_earlier_model_and_the_fit_goes_on(good, earlier, expected):
    before = contents(earlier)
    problem = "cannot write .*ganomaly.safetensors: File too large"
    with file_limit(10_000), pytest.raises(InputError, match=problem):
        fit(good, earlier)
    assert contents(earlier) == before
    fit(good, earlier, resume=True)
    assert_fitted(earlier, expected)


@pytest.mark.parametrize("kept", [True, False])
def test_ctrl_c_before_the_training_says_how_to_go_on(tmp_path, kept):
    error = Interrupted if kept else KeyboardInterrupt
    with pytest.raises(error) as caught, work_folder(tmp_path / "model", "fit", False) as work:
        if kept:
            (work / "features-00000.safetensors").touch()
        raise KeyboardInterrupt
    assert work.exists() == kept and ("command with --resume" in str(caught.value)) == kept


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root writes to read-only folders"
)
def test_a_folder_that_can_only_be_read_is_named(good, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o555)
    with pytest.raises(InputError, match="cannot write .*locked"):
        fit(good, tmp_path / "locked" / "model")


def test_a_region_of_interest_that_cannot_be_is_refused(line, run, tmp_path):
    command = ("fit", "--normal-dir", line / "train" / "good", "--out", tmp_path / "model")
    command += ("--set", "backbone.long_side=64")
    code, _, problem = run(*command, "--roi", "0,0 1,1")
    assert code == 2 and "needs 3 corners or more, but has 2" in problem
    mask = np.zeros((96, 96), np.uint8)
    mask[40:50, 40:50] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    code, _, problem = run(*command, "--roi", tmp_path / "mask.png")
    assert code == 2 and "less than one place of the map, 16 x 16" in problem
    assert not (tmp_path / "model.training").exists()


@pytest.mark.parametrize(
    ("name", "assignments", "steps"),
    [
        ("f-anogan", [], (100, 200)),
        ("anogan", [], (100, 53)),
        ("f-anogan", ["space=features"], (100, 100)),
        ("f-anogan", ["encoder.steps=7"], (100, 7)),
    ],
)
def test_the_steps_of_an_encoder_follow_those_of_its_gan(name, assignments, steps):
    def made(given):
        settings = make_detector(name, None, assignments, {"training.steps": given}, "cpu").settings
        return settings.training.steps, settings.encoder.steps

    assert made(100) == steps
    usual = made(None)
    assert made(usual[0]) == usual and made(1)[1] >= 1


def test_steps_do_not_change_the_default_detector():
    made = make_detector(None, None, ["backbone.components=20"], {"training.steps": 7}, "cpu")
    assert isinstance(made, GANomaly)
    assert (made.settings.space, made.settings.training.steps) == ("features", 7)
