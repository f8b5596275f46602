import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import TINY

from anomgan import GANomaly, load
from anomgan.cli.info import model_card
from anomgan.cli.recalibrate import recalibrate
from anomgan.data.flange import write_line
from anomgan.data.folders import list_images
from anomgan.errors import InputError, SettingsError
from anomgan.model_files import read_folder


@pytest.fixture(scope="module")
def fitted(line):
    return GANomaly(device="cpu", **TINY).fit(line / "train" / "good")


@pytest.fixture
def model(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module")
def new_ok(tmp_path_factory):
    """Good parts that no model has seen."""
    folder = tmp_path_factory.mktemp("new")
    write_line(folder, 12, 1, 1, size=96, seed=5)
    return folder / "train" / "good"


def test_new_images_take_the_place_of_the_old_calibration_and_nothing_else(model, new_ok, capsys):
    before, weights = read_folder(model, "")
    results = load(model, "cpu").score(list_images(new_ok))
    scored = sorted(result.score for result in results)
    highest = max(results, key=lambda result: result.score)
    history = (model / "history.csv").read_text().splitlines()

    recalibrate(new_ok, model, device="cpu")
    said = capsys.readouterr().out
    assert "on 12 other good images" in said and "Threshold" in said
    named = f"good images: {Path(highest.image).name} ({highest.score:.3g})"
    assert named in said and named in model_card(model)
    lower = load(model, "cpu").fitted.calibration.threshold_without(3)
    assert f"would be {lower:.4g} without them" in said
    assert "remove it and recalibrate again" in said and "fit again" not in said
    after, same = read_folder(model, "")
    assert after["calibration"]["scores"] == pytest.approx(scored)
    assert after["calibration"]["false_alarm_rate"] == before["calibration"]["false_alarm_rate"]
    assert weights.keys() == same.keys()
    assert all((same[name] == tensor).all() for name, tensor in weights.items())
    assert {key: after[key] for key in ("settings", "preparation")} == {
        key: before[key] for key in ("settings", "preparation")
    }
    assert (model / "history.csv").read_text().splitlines() == history
    assert (model / "samples.png").exists()
    card = model_card(model)
    assert "learnt from 18 good images and was calibrated on 6 others" in card
    assert f"Recalibrated {after['training']['recalibration']['created']} on 12 other" in card
    assert after["training"]["created"] == before["created"]


def test_another_rate_and_another_folder_leave_the_model_as_it_was(model, new_ok, tmp_path):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    recalibrate(new_ok, model, tmp_path / "new", false_alarm_rate=0.5, device="cpu")
    detector = load(tmp_path / "new", "cpu")
    assert detector.fitted.calibration.false_alarm_rate == 0.5
    assert detector.settings.calibration.false_alarm_rate == 0.5
    anomalous = [result.is_anomalous for result in detector.score(list_images(new_ok))]
    assert 1 <= sum(anomalous) <= 6
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_a_rate_that_too_few_images_can_promise_is_told_with_what_helps(run, model, new_ok):
    helps = "Give more good images, or ask for a higher false_alarm_rate."
    command = ("recalibrate", "--model", model, "--false-alarm-rate", 0.01)
    for more in ((), ("--normal-dir", new_ok)):
        code, said, _ = run(*command, *more)
        assert code == 0 and helps in said and "calibration.share" not in said
    assert helps in run("info", model)[1]


def test_photographs_of_one_part_count_as_one(model, new_ok, tmp_path, capsys):
    rows = [f"{path.name},{i // 2}" for i, path in enumerate(list_images(new_ok))]
    table = tmp_path / "groups.csv"
    table.write_text("\n".join(["file,group", *rows]))
    recalibrate(new_ok, model, groups=table, device="cpu")
    assert "6 groups" in capsys.readouterr().out
    assert load(model, "cpu").fitted.calibration.groups == 6


def test_what_cannot_be_calibrated_on_is_refused_and_the_model_stays(model, new_ok, line, tmp_path):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    images = list_images(new_ok)
    few, photos = tmp_path / "few", tmp_path / "photos"
    for folder in (few, photos):
        folder.mkdir()
        (folder / "0.png").write_bytes(images[0].read_bytes())
    with pytest.raises(InputError, match="few holds only 1 usable image; at least 6"):
        recalibrate(few, model, device="cpu")
    with pytest.raises(InputError, match="are training images of the model"):
        recalibrate(line / "train" / "good", model, device="cpu")
    with pytest.raises(SettingsError, match="false_alarm_rate = 1.5"):
        recalibrate(new_ok, model, false_alarm_rate=1.5, device="cpu")
    with pytest.raises(InputError, match="holds files but no model"):
        recalibrate(new_ok, model, photos, device="cpu")
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_an_image_that_cannot_be_read_is_left_out_only_if_asked(model, new_ok, tmp_path):
    images = shutil.copytree(new_ok, tmp_path / "images")
    (images / "bad.png").write_text("no image")
    with pytest.raises(InputError, match="bad.png is not an image"):
        recalibrate(images, model, device="cpu")
    recalibrate(images, model, skip_unreadable=True, device="cpu")
    assert load(model, "cpu").fitted.calibration.groups == 12


def test_from_python_arrays_will_do(model, rng):
    detector = load(model, "cpu")
    frames = [rng.integers(80, 120, (96, 96), dtype=np.uint8) for _ in range(7)]
    detector.recalibrate(frames, false_alarm_rate=0.2)
    assert detector.fitted.calibration.groups == 7
    assert detector.score(frames[0]).p_value >= 1 / 8


def test_images_learnt_from_are_found_under_any_name(model, line, new_ok, tmp_path):
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    for number, path in enumerate([*list_images(line / "train")[1:], *list_images(new_ok)]):
        (mixed / f"part_{number}.png").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"1[78] of 35 images are training images"):
        recalibrate(mixed, model, device="cpu")


def test_copies_count_once_when_a_model_is_calibrated_anew(model, new_ok, tmp_path, capsys):
    copies = tmp_path / "copies"
    copies.mkdir()
    for number in range(4):
        for path in list_images(new_ok)[:6]:
            (copies / f"{number}_{path.name}").write_bytes(path.read_bytes())
    recalibrate(copies, model, device="cpu")
    assert "WARNING: copies or near copies of other images: 18." in capsys.readouterr().out
    assert load(model, "cpu").fitted.calibration.groups == 6


def test_another_part_of_the_images_counts_from_now_on(model, new_ok, run):
    command = ("recalibrate", "--normal-dir", new_ok, "--model", model, "--device", "cpu")
    code, said, _ = run(*command, "--roi", "0,0 0.5,0 0.5,1 0,1")
    assert code == 0 and "Region of interest: 50% of the image, from 0% to 50% of" in said
    assert run(*command)[0] == 0 and "Region of interest: 50%" in model_card(model)
    assert not load(model, "cpu").score(list_images(new_ok)[0]).inside[:, 48:].any()


def test_the_scale_and_the_smallest_defect_are_set_with_a_new_threshold(model, new_ok, run):
    command = ("recalibrate", "--normal-dir", new_ok, "--model", model, "--device", "cpu")
    before = sorted(result.score for result in load(model, "cpu").score(list_images(new_ok)))
    code, said, _ = run(*command, "--pixels-per-mm", 4, "--smallest-defect", "4mm2")
    assert code == 0 and "Scale: 4 pixels per mm" in said
    assert "below 64 px² (4 mm²) make no verdict" in said
    detector = load(model, "cpu")
    scores = sorted(result.score for result in detector.score(list_images(new_ok)))
    assert detector.fitted.calibration.scores == pytest.approx(scores)
    assert scores != pytest.approx(before)
    code, said, _ = run(*command, "--smallest-defect", "9mm2")
    assert code == 0 and "below 144 px² (9 mm²)" in said, "by the scale in the model"
    assert run(*command, "--pixels-per-mm", -1)[0] == 2


def test_the_rate_alone_is_changed_without_images(model, run, line, tmp_path):
    before, weights = read_folder(model, "")
    kept = {name: (model / name).read_bytes() for name in ("samples.png", "history.csv")}
    scores = np.array(before["calibration"]["scores"])
    images = list_images(line / "test")
    results = load(model, "cpu").score(images)

    out = tmp_path / "again"
    code, said, err = run("recalibrate", "--model", model, "--out", out, "--false-alarm-rate", 0.4)
    assert code == 0, err
    assert "at most 40.00% of good images" in said
    after, same = read_folder(out, "")
    assert {name: (out / name).read_bytes() for name in kept} == kept
    assert weights.keys() == same.keys()
    assert all((same[name] == tensor).all() for name, tensor in weights.items())
    assert after["training"] == before["training"] and after["created"] == before["created"]

    detector = load(out, "cpu")
    assert detector.settings.calibration.false_alarm_rate == 0.4
    # Of 6 scores, 0.4 * 7 - 1 may be as high: the second highest is the threshold.
    assert detector.fitted.calibration.threshold == pytest.approx(np.sort(scores)[-2], rel=1e-4)
    again = detector.score(images)
    assert [one.p_value for one in again] == [one.p_value for one in results]
    assert [one.is_anomalous for one in again] == [one.p_value <= 0.4 for one in again]
    assert any(one.is_anomalous for one in again) and not all(one.is_anomalous for one in again)
    assert read_folder(model, "")[0] == before


def test_without_images_nothing_but_the_rate_is_changed(model, run):
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    command = ("recalibrate", "--model", model)
    for more in ((), ("--false-alarm-rate", 0.1, "--pixels-per-mm", 4)):
        code, _, err = run(*command, *more)
        assert code == 2 and "give --normal-dir new_ok/" in err
    code, _, err = run(*command, "--false-alarm-rate", 1)
    assert code == 2 and "false-alarm rate 1 is not above 0 and below 1" in err
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_an_exported_file_is_refused_with_what_to_do(new_ok, tmp_path):
    for arguments in ({"normal_dir": new_ok}, {"false_alarm_rate": 0.1}):
        with pytest.raises(InputError, match="part.onnx only scores; recalibrate its model folder"):
            recalibrate(model=tmp_path / "part.onnx", **arguments)
