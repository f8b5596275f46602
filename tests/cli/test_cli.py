import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import MODEL_FILES
from PIL import Image

from anomgan import __version__, load
from anomgan.cli.app import main
from anomgan.data.folders import list_images

FAST = (
    *("--detector", "ganomaly", "--device", "cpu", "--set", "view.size=32"),
    *("--set", "network.features=8", "--set", "network.latent_dim=8"),
    *("--set", "training.batch_size=8", "--set", "calibration.minimum=6"),
)


def anomgan(*arguments, **options):
    """Runs the command line in a process of its own."""
    command = [sys.executable, "-m", "anomgan", *map(str, arguments)]
    return subprocess.run(command, **{"capture_output": True, "text": True, **options})


@pytest.fixture(scope="module")
def model(line, tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "model"
    good = line / "train" / "good"
    done = anomgan("fit", "--normal-dir", good, "--out", out, "--steps", 30, *FAST)
    assert done.returncode == 0, done.stderr
    assert "learnt from 18 good images and was calibrated on 6 others" in done.stdout
    assert "WARNING" in done.stdout and "99 calibration images" in done.stdout
    # On a slow machine, a line of progress every ten seconds.
    assert all(" left" in line for line in done.stderr.splitlines()), done.stderr
    return out


def test_version_and_help_need_no_torch():
    code = "import sys, anomgan.cli.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert anomgan("--version").stdout == f"anomgan {__version__}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("word", ["--version", "detectors"])  # printed by typer, and by rich
def test_a_reader_that_leaves_ends_the_program_quietly(word):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "anomgan", word]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.skipif(sys.platform != "linux", reason="no disk that is always full there")
def test_a_full_disk_is_one_line():
    with open("/dev/full", "w") as disk:
        command = [sys.executable, "-m", "anomgan", "--version"]
        done = subprocess.run(command, stdout=disk, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "anomgan: cannot write the output: No space left on device\n"


def test_names_that_no_font_can_draw_make_no_noise(model, line, tmp_path):
    part = tmp_path / "部品 🔩.png"
    shutil.copy(list_images(line / "test" / "good")[0], part)
    command = ("score", "--image", part, "--model", model, "--device", "cpu", "--heatmap")
    done = anomgan(*command, "--heatmap-dir", tmp_path / "heat")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "heat" / f"{part.name}.heatmap.png").exists()


@pytest.mark.parametrize("device", ["cpu:x", "gpu", "cuda:99"])
def test_a_device_that_cannot_be_is_one_line(run, model, line, device):
    image = list_images(line / "test" / "good")[0]
    code, _, error = run("score", "--image", image, "--model", model, "--device", device)
    assert code == 2 and error.startswith("anomgan: ") and error.count("\n") == 1


def test_every_verb_explains_itself(run):
    words = {"fit": "--normal-dir", "score": "--heatmap", "watch": "--move-ok", "info": "Model"}
    for verb, word in words.items():
        code, out, _ = run(verb, "--help")
        assert code == 0 and word in out


def test_help_is_broken_only_where_the_terminal_ends(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "500")
    (line,) = (one for one in run("watch", "--help")[1].splitlines() if "Runs until" in one)
    assert "even after a crash, it continues where it stopped. Exit codes: 0" in line


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (["fit"], ["--normal-dir <path>", "--false-alarm-rate <float>", "--skip-unreadable"]),
        (["generator", "import"], ["--normal-dir <path>", "--skip-unreadable"]),
        (["benchmark", "mnist"], ["--protocol <one-class|leave-one-out>", "--categories <str>"]),
    ],
)
def test_no_option_is_cut_off_on_a_narrow_terminal(run, monkeypatch, command, names):
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = run(*command, "--help")
    assert code == 0 and all(f"  {name}" in out for name in names)
    assert "…" not in out


def test_the_list_of_commands_has_whole_sentences(run):
    out = run("--help")[1]
    assert "measure the results." in out and "..." not in out.partition("Commands")[2]


def test_score_prints_a_verdict_and_leaves_a_heatmap(run, model, line, tmp_path):
    image = list_images(line / "test" / "stain")[0]
    pictures = ("--heatmap", "--save-map", "--heatmap-dir", tmp_path / "maps")
    code, out, _ = run("score", "--model", model, "--image", image, *pictures, "--json")
    row = json.loads(out)
    assert code == 0
    assert row["image"] == str(image) and row["verdict"] in ("ok", "anomalous")
    assert row["model"] == str(model)
    assert set(row) == {
        *("image", "score", "scores", "p_value", "verdict", "reason", "threshold"),
        *("false_alarm_rate", "regions", "heatmap", "warnings", "milliseconds"),
        *("model", "model_id"),
    }
    assert Image.open(row["heatmap"]).size[0] > 256
    assert np.load(tmp_path / "maps" / f"{image.name}.heatmap.npy").shape == (96, 96)


def test_a_batch_goes_on_past_a_bad_image(run, model, line, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, path in enumerate(list_images(line / "test" / "good")):
        (folder / f"{number}.png").write_bytes(path.read_bytes())
    (folder / "bad.png").write_text("no image")
    for table in ("r.jsonl", "r.csv"):
        code, out, _ = run("score", "--model", model, "--dir", folder, "--out", tmp_path / table)
        assert code == 3
        assert "bad.png is not an image" in out and "1 could not be scored" in out
    rows = [json.loads(text) for text in (tmp_path / "r.jsonl").read_text().splitlines()]
    with (tmp_path / "r.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [row["image"] for row in table]
    assert ["error" in row for row in rows] == [False, False, False, True]
    assert float(table[0]["score"]) == rows[0]["score"]
    assert run("score", "--model", model, "--image", folder / "bad.png")[0] == 2


def test_anomalies_can_fail_a_script(run, model, tmp_path):
    images = tmp_path / "noise.png", tmp_path / "grey.png"
    noise = np.random.default_rng(0).integers(0, 256, (96, 96), dtype=np.uint8)
    for image, pixels in zip(images, (noise, noise // 9 + 100)):
        Image.fromarray(pixels).save(image)
    results = [load(model, "cpu").score(image).is_anomalous for image in images]
    assert any(results)
    arguments = ["score", "--model", model, "--image", images[results.index(True)]]
    assert run(*arguments)[0] == 0
    assert run(*arguments, "--fail-on-anomaly")[0] == 1


ENCODER = ["--set", "encoder.steps=2", "--set", "encoder.features=4"]


@pytest.mark.parametrize(
    ("detector", "more"),
    [
        ("ganomaly", []),
        ("egbad", []),
        ("f-anogan", ENCODER),
        ("anogan", [*ENCODER, "--set", "search.steps=3"]),
    ],
)
def test_every_detector_fits_scores_and_is_stored_alike(run, line, tmp_path, detector, more):
    model = tmp_path / "model"
    code, out, err = run(
        *("fit", "--normal-dir", line / "train" / "good", "--out", model, *FAST),
        *("--detector", detector, "--steps", 2, "--set", "network.features=4", *more),
    )
    assert code == 0, err
    assert out.startswith(f"{detector} learnt from 18 good images")
    pictures = {"samples.png", "calibration.png"}
    assert {path.name for path in model.iterdir()} == MODEL_FILES | pictures
    image = list_images(line / "test" / "stain")[0]
    code, out, _ = run("score", "--model", model, "--image", image, "--json")
    row = json.loads(out)
    assert code == 0 and row["verdict"] in ("ok", "anomalous")
    again = load(model, "cpu").score(image)
    # The command folds batch norms into convolutions, which rounds differently.
    assert again.score == pytest.approx(row["score"], rel=1e-5)
    assert np.isfinite(again.heatmap).all()
    assert again.heatmap.shape == (96, 96) and again.reconstruction.std() >= 0
    assert detector in run("info", model)[1]


def test_a_fit_without_a_method_is_ganomaly_on_features(run, line, tmp_path):
    code, out, err = run(
        *("fit", "--normal-dir", line / "train" / "good", "--out", tmp_path / "model"),
        *("--set", "backbone.long_side=128", "--steps", 20, "--set", "training.batch_size=32"),
        *("--set", "network.features=32", "--set", "calibration.minimum=6", "--device", "cpu"),
    )
    assert code == 0, err
    assert "Images are seen at 128 px on the longer side, through lite0 (Apache-2.0)" in out
    assert "This will take about" in out and "ganomaly learnt from 24 good images" in out
    assert "each by one of 4 networks that had not seen it" in out
    _, card, _ = run("info", tmp_path / "model")
    assert "Place: " in card and "space=features" in card and "SHA-256 5793" in card
    bad = next((line / "test").glob("[!g]*/*.png"))
    command = ("score", "--model", tmp_path / "model", "--image", bad, "--json")
    code, out, _ = run(*command)
    row = json.loads(out)
    assert code == 0 and row["verdict"] in ("ok", "anomalous")
    assert row["regions"] == [] or row["verdict"] == "anomalous"


def test_backbones_are_listed_with_their_licence(run):
    code, out, _ = run("backbones")
    assert code == 0 and "lite0" in out and "dinov2-s" in out and "Apache-2.0" in out


def test_detectors_are_listed_with_their_cost(run):
    code, out, _ = run("detectors")
    assert code == 0
    for word in ("anogan", "egbad", "f-anogan", "ganomaly", "cost"):
        assert word in out


def test_completion_is_for_anomgan_even_if_python_runs_it():
    script = anomgan("--show-completion", "bash", check=True).stdout
    assert script.splitlines()[-1] == "complete -o default -F _anomgan_completion anomgan"


@pytest.mark.parametrize("command", [("detectors",), ("backbones",), ("generator", "list")])
def test_no_word_of_a_list_is_cut_off_on_a_narrow_terminal(run, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "40")
    assert "…" not in run(*command)[1]


def test_info_is_a_readable_card(run, model):
    code, out, _ = run("info", model)
    assert code == 0
    for part in ("ganomaly", "Threshold", "patches of 32 px", "training.steps=30", "24"):
        assert part in out
    assert "view.flip=false" in out
    assert "calibration.region_rate=null" in out and "backbone" not in out


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_a_summary_is_text_whatever_the_images_are_called(line, run, tmp_path):
    odd, out_folder = tmp_path / "odd ones", tmp_path / "a model (it's new)"
    shutil.copytree(line / "train" / "good", odd)
    for path in odd.iterdir():
        path.rename(path.with_name(f"\x1b[2J{path.name}"))
    code, out, _ = run("fit", "--normal-dir", odd, "--out", out_folder, *FAST)
    assert code == 0 and "\x1b" not in out and r"\x1b[2J" in out
    (command,) = (text for text in out.splitlines() if text.startswith("Next:"))
    assert shlex.split(command)[1:5] == ["anomgan", "score", "--model", str(out_folder)]
    assert "remove it and fit again" in out
    code, out, _ = run("info", out_folder)
    assert code == 0 and "\x1b" not in out and r"\x1b[2J" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--normal-dir", "gone"], "there is no folder gone"),
        (["fit", "--normal-dir", ".", "--set", "training.step=1"], "unknown key training.step"),
        (["fit", "--normal-dir", ".", "--detector", "oracle"], "choose anogan, egbad, f-anogan"),
        (["fit", "--normal-dir", ".", "--config", "gone.toml"], "gone.toml"),
        (["fit", "--normal-dir", ".", "--device", "gpu"], "unknown device 'gpu'"),
        (["fit", "--normal-dir", "."], "holds no images"),
        (["score"], "nothing to score"),
        (["score", "--image", "a.png", "--model", "gone"], "no model folder gone"),
        (["score", "--dir", ".", "--resume"], "name it with --out"),
        (["score", "--image", "a.png", "--out", "r.xls"], ".csv or .jsonl"),
        (["watch", "--dir", "gone", "--out", "r.csv"], "there is no folder"),
        (["watch", "--dir", ".", "--out", "r.xls"], ".csv or .jsonl"),
        (["info", "gone"], "no model folder gone"),
        (["benchmark", "folder", "--data", "."], "lacks train/good and test/good"),
        (["benchmark", "mnist", "--data", "."], "does not hold MNIST"),
        (["info", "."], "it holds neither model.json nor weights.safetensors; make one with"),
        (["info", __file__], "is a file, not a model folder"),
        (["serve", "--model", "a=."], ". is no model folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(refused, arguments, message):
    assert message in refused(*arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="all names are text there")
def test_an_image_whose_name_is_no_text_is_scored(run, model, line, tmp_path):
    odd = tmp_path / os.fsdecode(b"\xff.png")
    shutil.copy(list_images(line / "test")[0], odd)
    code, out, err = run("score", "--model", model, "--image", odd, "--out", tmp_path / "r.csv")
    assert (code, err) == (0, "")
    code, out, err = run("score", "--model", model, "--image", odd)
    assert (code, err) == (0, "") and "\\udcff.png" in out


def test_heatmaps_are_not_left_where_they_would_be_scored(run, model, line, tmp_path):
    folder = line / "test" / "good"
    command = ("score", "--model", model, "--dir", folder, "--heatmap")
    code, _, err = run(*command, "--heatmap-dir", folder / "maps")
    assert code == 2 and "choose a folder outside" in err


def test_a_fit_that_was_stopped_is_resumed_to_the_same_model(run, line, tmp_path):
    def command(out, *more):
        often = ("--steps", "120", "--set", "training.checkpoint_minutes=1e-9")
        good = str(line / "train" / "good")
        return ["fit", "--normal-dir", good, "--out", str(out), *FAST, *often, *more]

    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(scratch)}
    process = subprocess.Popen(
        [sys.executable, "-m", "anomgan", *command(stopped)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    work = tmp_path / "stopped.training"
    while not list(work.glob("*.safetensors")) and process.poll() is None:
        time.sleep(0.01)
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 128 + signal.SIGTERM and "command with --resume" in err
    assert not stopped.exists() and not list(scratch.glob("anomgan-*"))
    code, _, err = run(*command(stopped))
    assert code == 2 and "unfinished fit" in err
    for out, more in ((stopped, ["--resume"]), (whole, [])):
        assert anomgan(*command(out, *more), env=environment).returncode == 0
    assert not work.exists()
    weights = "weights.safetensors"
    assert (stopped / weights).read_bytes() == (whole / weights).read_bytes()
    assert (stopped / "history.csv").read_text() == (whole / "history.csv").read_text()


def test_a_model_is_evaluated_on_labelled_folders(run, model, line, tmp_path):
    out = tmp_path / "report"
    code, said, _ = run("evaluate", "--data", line, "--model", model, "--out", out)
    assert code == 0 and "image AUROC: " in said and "AUPRO" in said
    assert (out / "report.html").stat().st_size > 100_000
    test = line / "test"
    pair = ("--good-dir", test / "good", "--bad-dir", test / "dent", "--model", model)
    code, said, _ = run("evaluate", *pair, "--out", tmp_path / "pair")
    assert code == 0 and "AUPRO" not in said
    for wrong in ((), ("--data", line, "--bad-dir", test / "dent"), ("--good-dir", test)):
        code, _, err = run("evaluate", "--model", model, *wrong)
        assert code == 2 and "give --data ROOT, or --good-dir and --bad-dir" in err


def test_a_report_that_cannot_be_written_is_told_before_any_image_is_read(run, model, tmp_path):
    for kind in ("good", "bad"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "broken.png").write_text("no image")
    folders = ("--good-dir", tmp_path / "good", "--bad-dir", tmp_path / "bad")
    out = tmp_path / "good" / "broken.png"
    code, _, error = run("evaluate", "--model", model, *folders, "--out", out)
    assert code == 2 and f"cannot write {out}" in error


def test_a_cluster_that_is_not_there_and_a_missing_ray_are_said(run, model, line, monkeypatch):
    score = ("score", "--model", model, "--dir", line / "test", "--device", "cpu", "--ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    code, _, err = run(*score, "local")
    assert code == 2 and err == (
        'anomgan: --ray needs the package ray: pip install "anomgan[ray]"\n'
    )
    monkeypatch.undo()
    pytest.importorskip("ray", reason='ray is not installed: pip install "anomgan[ray]"')
    code, _, err = run(*score, "127.0.0.1:1")
    assert code == 2 and "--ray 127.0.0.1:1: no cluster answers" in err and "Traceback" not in err


def test_a_fit_by_two_processes_is_the_fit_of_one(run, model, line, tmp_path):
    out = tmp_path / "together"
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    fit = ["-m", "anomgan", "fit", "--normal-dir", line / "train" / "good", "--out", out, *FAST]
    command = [sys.executable, *torchrun, *fit, "--steps", "30"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Model:") == 1, "said by one of them"
    assert [path.name for path in tmp_path.iterdir()] == ["together"]
    rows = []
    for folder in (model, out):
        _, said, _ = run("score", "--model", folder, "--dir", line / "test" / "good", "--json")
        rows.append([json.loads(text)["score"] for text in said.splitlines()])
    assert len(rows[0]) == 3 and rows[1] == pytest.approx(rows[0], rel=1e-3)


def test_an_exported_file_scores_like_its_folder(run, model, line, tmp_path):
    file, image = tmp_path / "part.pt", line / "test" / "good" / "000.png"
    command = ["export", "--model", model]
    code, said, _ = run(*command, "--out", file, "--check-dir", image.parent)
    assert code == 0 and f"{file}: " in said and "3 of 3 verdicts are the same" in said
    rows = []
    for which in (model, file):
        code, out, _ = run("score", "--model", which, "--image", image, "--json")
        rows.append(json.loads(out))
    assert rows[1]["score"] == pytest.approx(rows[0]["score"], rel=1e-3)
    assert rows[1]["verdict"] == rows[0]["verdict"] and rows[1]["model"] == str(file)
    assert rows[1]["model_id"] != rows[0]["model_id"]
    code, card, _ = run("info", file)
    assert code == 0 and "learnt from 18 good images" in card
    command += ["--format", "torchscript"]
    code, _, error = run(*command, "--out", tmp_path / "part.onnx")
    assert code == 2 and error.startswith("anomgan: ") and "ends in .pt" in error


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
def test_an_error_about_an_odd_name_is_one_line(run, tmp_path):
    for name in ("a\nanomgan: all is well.png", "\x1b[2J.png"):
        (tmp_path / name).write_text("no image")
    code, _, err = run("fit", "--normal-dir", tmp_path, "--out", tmp_path / "m", "--device", "cpu")
    first, *named, last = err.rstrip("\n").split("\n")
    assert code == 2 and "2 of 2 images cannot be read" in first and "--skip-unreadable" in last
    assert len(named) == 2 and r"\x1b[2J.png" in named[0] and r"a\x0aanomgan" in named[1]


@pytest.mark.parametrize("allocate", [torch.empty, np.empty])
def test_too_little_memory_is_one_sentence(allocate, monkeypatch, capsys):
    monkeypatch.setattr("anomgan.cli.app.app", lambda **_: allocate(2**58))
    with pytest.raises(SystemExit, match="2"):
        main()
    error = capsys.readouterr().err
    assert "there is not enough memory" in error and error.count("\n") == 1


def test_other_errors_of_torch_keep_their_traceback(monkeypatch):
    def fail(**_):
        torch.ones(2) @ torch.ones(3)

    monkeypatch.setattr("anomgan.cli.app.app", fail)
    with pytest.raises(RuntimeError, match="inconsistent tensor size"):
        main()
