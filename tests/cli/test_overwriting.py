"""No command overwrites or deletes what anomgan did not write."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from anomgan import load
from anomgan.cli.runs import LOCK, work_folder
from anomgan.errors import InputError
from anomgan.evaluation.records import save_scores
from anomgan.model_files import check_target

PRECIOUS = b"precious"
COMMANDS = {
    "check --out": ("mine.png", "check parts --out mine.png"),
    "check --drop-list": ("mine.txt", "check parts --drop-list mine.txt"),
    "fit": ("model/mine.png", "fit --normal-dir parts --out model"),
    "fit, meanwhile": ("new.training/mine.png", "fit --normal-dir parts --out new"),
    "recalibrate": ("model/deep/mine.png", "recalibrate --model model --false-alarm-rate 0.2"),
    "evaluate": ("out/scores.csv", "evaluate --good-dir parts --bad-dir bad --out out"),
    "limits": ("out/limits.json", "limits --normal-dir parts --out out"),
    "export": ("mine.onnx", "export --model model --out mine.onnx"),
    "demo": ("out/parts/train/good/000.png", "demo --out out"),
    "score --out": ("mine.csv", "score --image parts/0.png --model model --out mine.csv"),
    "benchmark": ("mine.jsonl", "benchmark folder --data . --out mine.jsonl"),
    "sample --grid": ("mine.png", "generator sample --grid mine.png"),
    "sample --interpolate": ("mine.png", "generator sample --interpolate --grid mine.png"),
    "sample --mix": ("mine.png", "generator sample --mix coarse --grid mine.png"),
    "sample --out": ("out/000000.png", "generator sample --out out"),
    "translate": ("out/0.png", "generator translate --dir parts --out out --to good"),
    "project": ("out/0.png", "generator project --image parts/0.png --out out"),
    "train": ("model/mine.png", "generator train dcgan --data-dir parts --out model"),
    "classifier": ("model/mine.png", "generator classifier --data-dir parts --out model"),
    "import": ("model/mine.png", "generator import w.pth --method stylegan --out model"),
}


@pytest.mark.parametrize("what", COMMANDS)
def test_what_anomgan_did_not_write_is_kept(run, line, whole_model, tmp_path, monkeypatch, what):
    monkeypatch.chdir(tmp_path)
    place, command = COMMANDS[what]
    shutil.copytree(whole_model, "model")
    Path("parts").mkdir()
    shutil.copy(line / "train" / "good" / "000.png", "parts/0.png")
    shutil.copytree("parts", "bad")
    mine = Path(place)
    mine.parent.mkdir(parents=True, exist_ok=True)
    mine.write_bytes(PRECIOUS)
    code, out, err = run(*command.split())
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert mine.name in err or mine.parent.name in err
    assert mine.read_bytes() == PRECIOUS


def test_a_heatmap_replaces_an_earlier_heatmap_only(run, whole_model, line, tmp_path):
    image = line / "test" / "good" / "000.png"
    mine = tmp_path / f"{image.name}.heatmap.png"
    command = ("score", "--model", whole_model, "--image", image, "--heatmap")
    shutil.copy(image, mine)
    code, _, err = run(*command, "--heatmap-dir", tmp_path)
    assert code == 2 and f"{mine} exists, and anomgan did not write it" in err
    assert mine.read_bytes() == image.read_bytes()
    mine.unlink()
    for _ in range(2):
        assert run(*command, "--heatmap-dir", tmp_path)[0] == 0


def test_a_raw_heatmap_replaces_an_earlier_one_only(run, whole_model, line, tmp_path):
    image = line / "test" / "good" / "000.png"
    mine = tmp_path / f"{image.name}.heatmap.npy"
    command = ("score", "--model", whole_model, "--image", image, "--save-map")
    for shape, kind in (((3, 3), np.uint8), ((3, 3, 3), np.float32), ((3, 3), np.float32)):
        array = np.zeros(shape, kind)
        np.save(mine, array)
        code, _, err = run(*command, "--heatmap-dir", tmp_path)
        assert code == 2 and f"{mine} exists, and anomgan did not write it" in err
        assert (np.load(mine) == array).all()
    mine.unlink()
    for _ in range(2):
        assert run(*command, "--heatmap-dir", tmp_path)[0] == 0
    expected = load(whole_model, "cpu").score(image).heatmap
    for mode in (None, "r"):
        np.testing.assert_allclose(np.load(mine, mmap_mode=mode), expected, atol=1e-4)


def test_the_scores_of_a_cell_replace_earlier_ones_only(tmp_path):
    path = tmp_path / "cell.npz"
    np.savez(path, mine=np.arange(3))
    before = path.read_bytes()
    some = np.array([0, 1]), np.array([0.1, 0.2]), ["a", "b"]
    with pytest.raises(InputError, match="cell.npz exists, and anomgan did not write it"):
        save_scores(path, *some)
    assert path.read_bytes() == before
    path.unlink()
    for _ in range(2):
        save_scores(path, *some)


def test_what_file_managers_leave_does_not_keep_a_model_from_being_replaced(whole_model, tmp_path):
    folder = shutil.copytree(whole_model, tmp_path / "model")
    (folder / ".DS_Store").write_bytes(b"icons")
    check_target(folder)


def test_a_work_folder_is_for_one_fit_and_goes_with_its_process(tmp_path):
    out = tmp_path / "model"
    with work_folder(out, "fit", False) as work:
        with pytest.raises(InputError, match="another fit into this folder is running"):
            with work_folder(out, "fit", True):
                raise AssertionError("two fits at once")
        (work / "a.safetensors").touch()
    assert not work.exists()
    work.mkdir()
    (work / LOCK).touch()  # as a kill leaves it
    (work / "a.safetensors").touch()
    with work_folder(out, "fit", True) as again:
        assert again == work
    assert not work.exists()
