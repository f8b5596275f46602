import json
from functools import partial

import pytest


@pytest.fixture
def run(run, monkeypatch, tmp_path):
    """Runs `anomgan limits` in a folder of its own; gives exit code, output and error."""
    monkeypatch.chdir(tmp_path)
    return partial(run, "limits")


def test_limits_are_printed_drawn_and_kept_and_a_run_can_go_on(run, patch_model, line, tmp_path):
    given = ("--model", patch_model, "--normal-dir", line / "train" / "good", "--device", "cpu")
    some = ("--per-kind", 24, "--kind", "missing", "--pixels-per-mm", 4)
    code, out, _ = run(*given, *some, "--kind", "pit")
    assert code == 0 and "pits" in out.splitlines()[0] + out.splitlines()[1]
    assert "Images left out because the model learnt from them: 18" in out
    facts = json.loads((tmp_path / "anomgan-limits" / "limits.json").read_text())
    assert set(facts["kinds"]) == {"pit", "missing"} and facts["pixels_per_mm"] == 4
    assert facts["in_words"] == out.splitlines()[:2]
    page = (tmp_path / "anomgan-limits" / "limits.html").read_text()
    assert page.count("data:image/png;base64,") >= 3 and "http" not in page
    trials = tmp_path / "anomgan-limits" / "trials.jsonl"
    before = trials.read_text()
    code, again, _ = run(*given, *some, "--kind", "pit", "--resume")
    assert code == 0 and again == out and trials.read_text() == before


def test_wrong_options_are_told(run, patch_model, line):
    given = ("--model", patch_model, "--normal-dir", line / "train" / "good")
    code, _, error = run(*given, "--kind", "hole")
    assert code == 2 and "no kind of defect 'hole', only scratch, crack" in error
    code, _, error = run(*given, "--pixels-per-mm", 0)
    assert code == 2 and "must be above 0" in error
