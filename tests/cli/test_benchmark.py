import json
import shutil


def test_a_benchmark_of_one_s_own_parts_and_its_report(run, line, tmp_path):
    out = tmp_path / "bench" / "results.jsonl"
    command = ("benchmark", "folder", "--data", line, "--limit", 2, "--out", out)
    small = ("--set", "calibration.minimum=6", "--device", "cpu")
    code, said, _ = run(*command, "--detectors", "mean-image, pca", *small)
    assert code == 0 and said.count("image AUROC") == 2
    code, said, _ = run(*command, "--detectors", "mean-image, pca", *small)
    assert "2 of 2 cells are done already" in said
    code, said, _ = run("benchmark", "report", out)
    assert code == 0 and "results.report/report.md" in said
    assert "| pca |" in (tmp_path / "bench" / "results.report" / "report.md").read_text()
    code, _, err = run(*command, "--detectors", "gan")
    assert code == 2 and "unknown detector 'gan'" in err
    code, _, err = run(*command, "--detectors", "pca", "--seeds", "one")
    assert code == 2 and "write numbers with commas" in err
    code, said, _ = run(*command, "--detectors", "pca", "--set", "calibration.minimum=500")
    assert code == 3 and "only 24 usable images" in said


def test_a_benchmark_of_digits(run, real_data, tmp_path):
    command = ("benchmark", "mnist", "--data", real_data("mnist"), "--device", "cpu")
    out = tmp_path / "digits.jsonl"
    more = ("--categories", 1, "--detectors", "mean-image", "--limit", 30, "--out", out)
    code, said, _ = run(*command, *more)
    assert code == 0 and "1 mean-image seed 0: image AUROC 0.9" in said


def test_a_benchmark_of_categories_as_downloaded(run, line, tmp_path):
    for name in ("bolt", "plate"):
        shutil.copytree(line, tmp_path / "mvtec_ad" / name)
    out = tmp_path / "mvtec.jsonl"
    data = ("--data", tmp_path / "mvtec_ad")
    command = ("benchmark", "mvtec", *data, "--out", out, "--device", "cpu")
    small = ("--detectors", "mean-image", "--limit", 2, "--set", "calibration.minimum=6")
    code, said, _ = run(*command, *small, "--seeds", "0,1")
    assert code == 0 and said.count("bolt mean-image") == said.count("plate mean-image") == 2
    records = [json.loads(text) for text in out.read_text().splitlines()]
    assert all(record["dataset"] == "mvtec" and record["pixel_aupro_0.3"] for record in records)
    code, _, err = run(*command, *small, "--categories", "nut")
    assert code == 2 and "has no nut; there are bolt, plate" in err
    code, _, err = run("benchmark", "mvtec", "--data", tmp_path, "--out", out)
    assert code == 2 and "no category in this layout" in err
