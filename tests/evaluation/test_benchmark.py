import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TINY
from threadpoolctl import threadpool_limits

from anomgan.errors import InputError, SettingsError
from anomgan.evaluation.benchmark import contenders, plan, run_benchmark
from anomgan.evaluation.records import read_records, scores_path
from anomgan.evaluation.sets import DataSet

FAST = {name: TINY[name] for name in ("training", "calibration")}
FIGURES = ("image_auroc", "image_ap", "pixel_aupro_0.3", "per_defect", "false_alarm_rate_observed")


def cells(root, names, seeds=(0,), limit=2):
    data = DataSet("folder", root, "split by folder", limit)
    return plan("small", data, contenders(names, [], [], FAST), seeds)


def figures(path):
    return {(r["detector"], r["seed"]): [r[name] for name in FIGURES] for r in read_records(path)}


def test_a_run_that_was_stopped_goes_on_and_ends_the_same(line, tmp_path):
    todo = cells(line, ["mean-image", "ganomaly"], seeds=(0, 1))
    whole, stopped = tmp_path / "whole.jsonl", tmp_path / "stopped.jsonl"
    assert run_benchmark(todo, whole, device="cpu") == 0
    said = []

    def interrupt(text):
        said.append(text)
        if len(said) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_benchmark(todo, stopped, device="cpu", say=interrupt)
    assert len(read_records(stopped)) == 2
    run_benchmark(todo, stopped, device="cpu", say=said.append)
    assert "2 of 4 cells are done already" in said
    assert figures(stopped) == figures(whole) and len(figures(whole)) == 4
    record = read_records(whole)[0]
    assert record["n_test_normal"] == 2 and record["limit"] == 2
    assert scores_path(whole, record).exists()
    assert {"study", "dataset", "protocol", "fit_seconds", "versions", "device"} <= set(record)


def test_a_cell_that_fails_is_recorded_and_stops_no_other(line, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(line, broken)
    (broken / "test" / "good").joinpath("000.png").write_bytes(b"no image")
    out = tmp_path / "results.jsonl"
    todo = cells(broken, ["pca"]) + cells(line, ["pca"])
    assert run_benchmark(todo, out, device="cpu") == 1
    first, second = read_records(out)
    assert "000.png" in first["error"] and "image_auroc" in second
    shutil.copy(line / "test" / "good" / "000.png", broken / "test" / "good" / "000.png")
    assert run_benchmark(todo, out, device="cpu") == 0
    assert all("error" not in record for record in read_records(out))


def test_several_processes_give_the_figures_of_one(line, tmp_path):
    code = (
        "import sys; from pathlib import Path; sys.path[:0] = ['tests', 'tests/evaluation'];"
        "from test_benchmark import cells; from anomgan.evaluation.benchmark import run_benchmark;"
        "todo = cells(Path(sys.argv[1]), ['mean-image', 'pca', 'nearest']);"
        "sys.exit(run_benchmark(todo, Path(sys.argv[2]), workers=2, device='cpu'))"
    )
    out = tmp_path / "two.jsonl"
    subprocess.run([sys.executable, "-c", code, line, out], check=True)
    run_benchmark(cells(line, ["mean-image", "pca", "nearest"]), tmp_path / "one.jsonl")
    assert figures(out) == figures(tmp_path / "one.jsonl")


def test_a_run_that_is_killed_leaves_no_process_at_work(line, tmp_path):
    settings = ["--detectors", "mean-image,ganomaly", "--set", "training.minutes=60"]
    settings += ["--set", "calibration.minimum=6"]
    command = [sys.executable, "-m", "anomgan", "benchmark", "folder", "--data", line, *settings]
    run = subprocess.Popen(
        [*command, "--workers", "2", "--device", "cpu", "--out", tmp_path / "results.jsonl"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert "mean-image" in run.stdout.readline()  # and the other cell is still at work
    run.kill()
    run.communicate(timeout=60)  # what it says has an end once all its processes have ended


def test_a_cluster_gives_the_figures_of_one_process(line, tmp_path):
    pytest.importorskip("ray", reason='ray is not installed: pip install "anomgan[ray]"')
    todo = cells(line, ["mean-image", "pca", "nearest"])
    out = tmp_path / "cluster.jsonl"
    assert run_benchmark(todo, out, device="cpu", ray="local") == 0
    with threadpool_limits(1):  # as in workers of Ray: PCA rounds otherwise with more
        run_benchmark(todo, tmp_path / "one.jsonl", device="cpu")
    assert figures(out) == figures(tmp_path / "one.jsonl")
    with pytest.raises(SettingsError, match="leave out --workers"):
        run_benchmark(todo, out, device="cpu", ray="local", workers=2)


def test_a_settings_file_names_its_detector_and_is_changed_by_assignments():
    named, filed = contenders(["pca"], [Path("ganomaly_mnist")], ["training.steps=7"], {})
    assert (named.detector, named.config) == ("pca", "default, training.steps=7")
    assert (filed.detector, filed.config) == ("ganomaly", "ganomaly_mnist.toml, training.steps=7")
    assert filed.values["training"]["steps"] == 7 and filed.values["view"]["size"] == 32


def test_names_that_do_not_exist_are_refused(line):
    with pytest.raises(SettingsError, match="unknown detector 'gan'; choose"):
        contenders(["gan"], [], [], {})
    with pytest.raises(InputError, match=f"has no 11; there are {line.name}"):
        plan("s", DataSet("folder", line, "split by folder"), [], [0], ["11"])
