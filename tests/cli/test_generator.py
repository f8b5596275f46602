import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from anomgan.generators import METHODS, load_translator
from anomgan.generators.registry import ABOUT

SMALL = (
    *("--size", 16, "--steps", 3, "--device", "cpu"),
    *("--set", "training.batch_size=4", "--set", "network.features=4"),
)
DRAWING = (*SMALL, "--set", "network.latent_dim=4")
TRANSLATING = (*SMALL, "--set", "network.blocks=1")


@pytest.fixture(scope="module")
def run(run):
    """Runs `anomgan generator`; gives exit code, standard output and error."""
    return partial(run, "generator")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Digits of 16 px: `digits` with folders zero, one and two, `more` with three and four."""
    folder = tmp_path_factory.mktemp("data")
    images, labels = load_digits(return_X_y=True)
    names = ["digits/zero", "digits/one", "digits/two", "more/three", "more/four"]
    for digit, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for number, image in enumerate(images[labels == digit][:10].reshape(-1, 8, 8)):
            pixels = (np.kron(image, np.ones((2, 2))) * 15.9).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def dcgan(run, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("dcgan") / "model"
    folders = ("--data-dir", data / "digits", "--data-dir", data / "more")
    code, said, err = run("train", "dcgan", *folders, *DRAWING, "--out", out, "--samples-every", 2)
    assert code == 0, err
    assert "dcgan learnt from 50 images." in said and "3 steps" in said
    assert f"anomgan generator sample --model {out}" in said
    return out


@pytest.fixture(scope="module")
def cgan(run, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("cgan") / "model"
    code, said, err = run("train", "cgan", "--data-dir", data / "digits", *DRAWING, "--out", out)
    assert code == 0, err
    assert "the labels one, two, zero" in said
    return out


@pytest.fixture(scope="module")
def cyclegan(run, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("cyclegan") / "model"
    domains = ("--domain", f"good={data}/digits/zero", "--domain", f"bad={data}/digits/one")
    shallow = ("--set", "network.patch_layers=1")
    code, said, err = run("train", "cyclegan", *domains, *TRANSLATING, *shallow, "--out", out)
    assert code == 0, err
    assert "learnt from 20 images and the labels good, bad" in said and "--to bad" in said
    return out


@pytest.fixture(scope="module")
def stargan_v2(run, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("stargan_v2") / "model"
    code, _, err = run("train", "stargan_v2", "--data-dir", data / "digits", *SMALL, "--out", out)
    assert code == 0, err
    return out


@pytest.fixture(scope="module")
def judge(run, data, tmp_path_factory):
    """Folder of a classifier of the three digits."""
    out = tmp_path_factory.mktemp("judge") / "model"
    short = ("--size", 16, "--steps", 5, "--device", "cpu")
    code, said, err = run("classifier", "--data-dir", data / "digits", *short, "--out", out)
    assert code == 0, err
    assert "Learnt one, two, zero from 24 images" in said and "Accuracy on 6 held-out" in said
    return out


def pictures(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


def test_every_method_is_listed(run):
    code, out, _ = run("list")
    assert code == 0 and set(ABOUT) == set(METHODS)
    assert all(name in out for name in METHODS)


def test_pictures_drawn_during_the_training_are_kept_and_its_folder_is_not(dcgan):
    assert pictures(dcgan / "samples") == ["0000002.png"]
    assert not dcgan.with_name("model.training").exists()


def test_samples_are_numbered_and_replaced_as_a_whole(run, dcgan, tmp_path):
    out = tmp_path / "drawn"
    command = ("sample", "--model", dcgan, "--out", out, "--device", "cpu")
    assert run(*command, "--count", 5)[0] == 0
    assert pictures(out) == [f"{number:06d}.png" for number in range(5)]
    first = (out / "000000.png").read_bytes()
    assert run(*command, "--count", 2, "--seed", 1)[0] == 0
    assert len(pictures(out)) == 2 and (out / "000000.png").read_bytes() != first
    record = json.loads((out / "samples.json").read_text())
    assert record["seed"] == 1 and record["generator"] == "dcgan"


@pytest.mark.parametrize("names", [["000000.png"], ["samples.json", "holiday.jpg"]])
def test_other_files_are_never_replaced(run, dcgan, tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("precious")
    code, _, err = run("sample", "--model", dcgan, "--out", tmp_path)
    assert code == 2 and names[-1] in err and "choose another folder" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_class_can_be_asked_for(run, cgan, tmp_path):
    command = ("sample", "--model", cgan, "--count", 3, "--device", "cpu")
    code, said, _ = run(*command, "--class", "two", "--grid", tmp_path / "two.png")
    assert code == 0 and pictures(tmp_path) == ["two.png"] and "two.png" in said
    code, _, err = run(*command, "--class", "seven", "--out", tmp_path / "seven")
    assert code == 2 and "unknown label 'seven': it knows one, two, zero" in err
    assert not (tmp_path / "seven").exists()


def test_a_strip_from_one_image_to_another(run, dcgan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ("sample", "--model", dcgan, "--count", 9, "--interpolate", "--device", "cpu")
    assert run(*command)[0] == 0
    assert pictures(tmp_path) == ["anomgan-interpolation.png"]
    assert run(*command, "--grid", "strip.png", "--out", "frames")[0] == 0
    assert len(pictures(tmp_path / "frames")) == 9 and (tmp_path / "strip.png").exists()


def test_the_quality_is_measured_while_training_and_the_best_model_kept(run, data, tmp_path):
    out = tmp_path / "model"
    every = ("--steps", 5, "--quality-every", 2, "--out", out)
    digits = ("--data-dir", data / "digits")
    code, said, err = run("train", "dcgan", *digits, *DRAWING, *every)
    assert code == 0 and "best/ is the model with the best quality" in said, err
    rows = list(csv.DictReader((out / "history.csv").open()))
    figures = {int(row["step"]): float(row["kid_lite0"]) for row in rows if row["kid_lite0"]}
    assert list(figures) == [2, 4]
    assert run("sample", "--model", out / "best", "--out", tmp_path / "drawn")[0] == 0
    assert not (out / "best" / "best").exists()


def test_what_is_said_to_come_next_works_with_attributes_too(run, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"{data}/digits/one/{number}.png,{number % 2},1" for number in range(4)]
    (tmp_path / "labels.csv").write_text("\n".join(["file,very round,tall", *rows]))
    code, said, err = run("train", "cgan", "--data-dir", ".", *DRAWING, "--out", "model")
    assert code == 0, err
    command = shlex.split(said.split("anomgan generator ")[1])
    assert command[-2:] == ["--class", "very round"]
    assert run(*command)[0] == 0


def test_styles_are_mixed_in_a_picture(run, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = ("--data-dir", data / "digits" / "one", "--device", "cpu", "--steps", 1)
    sizes = ("--size", 16, "--set", "network.features=2", "--set", "network.latent_dim=4")
    assert run("train", "stylegan", *folders, *sizes, "--out", "style")[0] == 0
    code, said, _ = run("sample", "--model", "style", "--mix", "coarse", "--count", 2)
    assert code == 0 and "anomgan-mix.png" in said
    assert (tmp_path / "anomgan-mix.png").exists() and not (tmp_path / "anomgan-samples").exists()


def test_a_folder_is_translated_past_a_damaged_image(run, cyclegan, data, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    (photos / "left").mkdir(parents=True)
    large = np.kron(np.arange(6), np.ones((40, 10))).astype(np.uint8) * 40
    Image.fromarray(large).save(photos / "left" / "part.bmp")
    Image.fromarray(large).save(photos / "other.jpg")
    command = ("translate", "--model", cyclegan, "--dir", photos, "--to", "bad", "--out", out)
    code, said, _ = run(*command)
    assert code == 0 and "2 images translated to bad" in said
    assert pictures(out) == ["left/part.png", "other.png"]
    assert Image.open(out / "left" / "part.png").size == (16, 11)
    (photos / "bad.png").write_text("no image")
    code, said, _ = run(*command, "--full-size")
    assert code == 3 and "bad.png is not an image" in said and "1 could not be" in said
    assert Image.open(out / "left" / "part.png").size == (60, 40)
    bad = ("--image", photos / "bad.png", "--to", "bad", "--out", out)
    assert run("translate", "--model", cyclegan, *bad)[0] == 2


def test_at_full_size_the_change_is_added_to_the_photograph(cyclegan):
    model = load_translator(cyclegan, "cpu")
    image = np.random.default_rng(0).integers(100, 150, (16, 16), dtype=np.uint8)
    large = np.kron(image, np.ones((2, 2), np.uint8))
    (small,) = model.translate([image], to="bad")
    (same,) = model.translate([image], to="bad", full_size=True)
    assert np.array_equal(small, same)
    (full,) = model.translate([large], to="bad", full_size=True)
    assert full.shape == (32, 32) and full.dtype == np.uint8
    colour = np.dstack([large, large // 2, large])
    (coloured,) = model.translate([colour], to="bad", full_size=True)
    assert coloured.shape == (32, 32, 3), "a grey model leaves the colours"


def test_the_photographs_are_never_overwritten(run, cyclegan, data, tmp_path):
    zeros = data / "digits" / "zero"
    command = ("translate", "--model", cyclegan, "--to", "bad")
    for where, out in [(("--dir", zeros), zeros), (("--dir", data), zeros)]:
        code, _, err = run(*command, *where, "--out", out)
        assert code == 2 and "choose a folder outside" in err
    code, _, err = run(*command, "--image", zeros / "0.png", "--out", zeros)
    assert code == 2 and "would be overwritten" in err
    twins = ("--image", zeros / "0.png", "--image", data / "digits" / "one" / "0.png")
    code, _, err = run(*command, *twins, "--out", tmp_path / "out")
    assert code == 2 and "would both become" in err


def test_a_style_can_be_shown_or_drawn(run, stargan_v2, data, tmp_path):
    image, reference = data / "digits" / "zero" / "0.png", data / "digits" / "one" / "3.png"

    def translated(*more):
        command = ("translate", "--model", stargan_v2, "--image", image, "--to", "one")
        assert run(*command, "--out", tmp_path, *more)[0] == 0
        return (tmp_path / "0.png").read_bytes()

    shown = translated("--reference", reference)
    assert shown == translated("--reference", reference)
    assert len({shown, translated("--seed", 1), translated("--seed", 2)}) == 3


def test_two_data_sets_are_learnt_together(run, data, tmp_path):
    out = tmp_path / "model"
    folders = ("--data-dir", data / "digits", "--data-dir", data / "more")
    code, said, err = run("train", "stargan", *folders, *TRANSLATING, "--out", out)
    assert code == 0, err
    assert "labels one, two, zero, four, three" in said
    image = data / "more" / "four" / "0.png"
    command = ("translate", "--model", out, "--image", image, "--out", tmp_path / "out")
    assert run(*command, "--to", "two")[0] == 0
    code, _, err = run(*command)
    assert code == 2 and "say which domain" in err


def test_photographs_are_projected(run, dcgan, cgan, data, tmp_path):
    (tmp_path / "bad.png").write_text("no image")
    images = ("--image", data / "digits" / "one" / "0.png", "--image", tmp_path / "bad.png")
    command = ("project", "--steps", 3, *images, "--out", tmp_path / "out", "--device", "cpu")
    code, said, _ = run(*command, "--model", dcgan)
    assert code == 3 and "mean difference" in said and "bad.png is not an image" in said
    assert pictures(tmp_path / "out") == ["0.png"]
    code, _, err = run(*command, "--model", cgan)
    assert code == 2 and "needs one without labels" in err


def test_samples_are_measured_by_a_classifier(run, dcgan, cgan, data, judge):
    command = ("evaluate", "--features", judge, "--data-dir", data / "digits", "--device", "cpu")
    code, said, err = run(*command, "--model", dcgan)
    assert code == 0, err
    assert "fid_classifier" in said and "kid_classifier" in said and "accuracy" not in said
    code, said, _ = run(*command, "--model", cgan, "--count", 9, "--json")
    row = json.loads(said)
    assert code == 0 and row["n_fake"] == 9 and row["fid_classifier"] > 0
    assert 0 <= row["accuracy_classifier"] <= 1


def test_translations_are_measured_domain_by_domain(run, cyclegan, stargan_v2, data, judge):
    command = ("evaluate", "--features", judge, "--device", "cpu", "--json")
    few = ("--data-dir", data / "digits", "--count", 2)
    code, said, err = run(*command, "--model", stargan_v2, *few)
    assert code == 0, err
    rows = [json.loads(line) for line in said.splitlines()]
    guides = [(row["domain"], row["guide"]) for row in rows]
    assert guides == [(d, g) for d in ("one", "two", "zero") for g in ("latent", "reference")]
    assert all(row["n_fake"] == 10 and "accuracy_classifier" in row for row in rows)
    assert all(row["diversity_lite0_perceptual"] >= 0 for row in rows)
    domains = ("--domain", f"good={data}/digits/zero", "--domain", f"bad={data}/digits/one")
    code, said, _ = run(*command, "--model", cyclegan, *domains)
    assert code == 0 and len(said.splitlines()) == 2 and "accuracy" not in said


def test_a_classifier_can_be_trained_on_the_way(run, dcgan, data, monkeypatch):
    monkeypatch.setattr("anomgan.cli.generator_evaluate.CLASSIFIER_STEPS", 2)
    command = ("evaluate", "--model", dcgan, "--features", "own", "--device", "cpu")
    code, said, err = run(*command, "--data-dir", data / "digits")
    assert code == 0, err
    assert "accuracy_real_classifier" in said and "fid_classifier" in said


def test_a_training_that_was_stopped_is_resumed_to_the_same_model(run, data, tmp_path):
    def command(out, *more):
        learn = ("train", "dcgan", "--data-dir", data / "digits", *DRAWING, "--steps", 40)
        return [str(argument) for argument in (*learn, "--out", out, *more)]

    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    often = command(stopped, "--set", "training.checkpoint_minutes=1e-9")
    process = subprocess.Popen(
        [sys.executable, "-m", "anomgan", "generator", *often],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    work = tmp_path / "stopped.training"
    while not list(work.glob("*.safetensors")) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not stopped.exists()
    code, _, err = run(*command(stopped))
    assert code == 2 and "holds an unfinished training; continue it with --resume" in err
    assert run(*command(stopped, "--resume"))[0] == 0 and not work.exists()
    assert run(*command(whole))[0] == 0
    weights = "weights.safetensors"
    assert (stopped / weights).read_bytes() == (whole / weights).read_bytes()


def test_settings_come_from_a_file(run, data, tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text('generator = "gan"\nview.size = 16\n')
    folder = ("--data-dir", data / "more", "--out", tmp_path / "model")
    code, said, err = run("train", *folder, "--config", config, *DRAWING)
    assert code == 0 and said.startswith("gan learnt"), err
    code, _, err = run("train", "dcgan", *folder, "--config", config)
    assert code == 2 and "generator dcgan, but the settings are for gan" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--data-dir", "."], "say which generator: gan, dcgan"),
        (["train", "oracle", "--data-dir", "."], "unknown generator oracle; choose gan, dcgan"),
        (["train", "dcgan", "--data-dir", "gone"], "there is no folder gone"),
        (["train", "dcgan"], "say where the images are: --data-dir DIR"),
        (["train", "dcgan", "--domain", "a=b"], "give --data-dir DIR instead of --domain"),
        (["train", "cyclegan", "--domain", "a=b"], "give at least two"),
        (["train", "cyclegan", "--domain", "a"], "write it as NAME=DIR"),
        (["train", "cyclegan", "--domain", "a=b", "--domain", "a=c"], "a is given twice"),
        (["train", "cgan", "--data-dir", "."], "has no labels: make a sub-folder for each class"),
        (["sample"], "no model folder anomgan-generator"),
        (["translate", "--to", "bad", "--out", "out"], "there are no images"),
        (["evaluate", "--features", "gone", "--data-dir", "."], "no model folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(refused, arguments, message):
    assert message in refused(*arguments)


def test_a_model_is_asked_for_what_it_can_do(run, dcgan, cyclegan, data, tmp_path):
    image = ("--image", data / "digits" / "one" / "0.png", "--out", tmp_path / "out")
    for arguments, message in [
        (("sample", "--model", dcgan, "--truncation", 0.5), "dcgan has no truncation"),
        (("sample", "--model", dcgan, "--mix", "fine"), "dcgan has no styles to mix"),
        (("sample", "--model", dcgan, "--mix", "fine", *image[2:]), "leave out --out"),
        (("sample", "--model", cyclegan), "holds a translator, cyclegan"),
        (("evaluate", "--model", dcgan, "--data-dir", tmp_path), "holds no images"),
        (("sample", "--model", dcgan, "--class", "one"), "it knows no labels"),
        (("translate", "--model", dcgan, *image, "--to", "bad"), "which translates nothing"),
        (("translate", "--model", cyclegan, *image, "--to", "worse"), "it knows good, bad"),
        (
            ("translate", "--model", cyclegan, *image, "--to", "bad", "--reference", image[1]),
            "knows no styles",
        ),
        (
            ("evaluate", "--model", cyclegan, "--features", dcgan, "--data-dir", data / "digits"),
            "holds a generator, dcgan, not a classifier",
        ),
    ]:
        code, out, err = run(*arguments)
        assert code == 2 and out == "" and message in err and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_training_starts_from_a_model_and_leaves_frozen_parts_alone(
    run, data, dcgan, tmp_path, monkeypatch
):
    monkeypatch.setattr("anomgan.generators.trained_gan.GRID", 1)
    out = tmp_path / "tuned"
    begin = ("train", "dcgan", "--data-dir", data / "digits", "--init", dcgan, "--steps", 2)
    code, said, err = run(*begin, "--freeze", "generator.layers.0", "--out", out, "--device", "cpu")
    assert code == 0, err
    assert f"on cpu, from the weights of {dcgan}." in said
    card = json.loads((out / "model.json").read_text())
    assert card["settings"]["network"]["features"] == 4 and card["settings"]["view"]["size"] == 16
    assert card["training"]["init"]["model"] == str(dcgan)
    assert card["training"]["init"]["frozen"] == ["generator.layers.0"]
    code, _, err = run(*begin, "--freeze", "generator.layer.0", "--out", tmp_path / "other")
    assert code == 2 and "Similar: generator.layers.0" in err
