import json
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from anomgan.evaluation.limits import check_out


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
    check_out(trials.parent, resume=False)  # a whole run may be replaced


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_a_run_that_was_stopped_is_not_thrown_away(run, patch_model, line, tmp_path):
    given = ("--model", patch_model, "--normal-dir", line / "train" / "good", "--device", "cpu")
    # Where the tests run on two cores, they and their children ignore Ctrl-C.
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from anomgan.cli.app import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "limits", *map(str, given)], stderr=subprocess.PIPE, text=True
    )
    trials = tmp_path / "anomgan-limits" / "trials.jsonl"
    while process.poll() is None and not (trials.exists() and trials.read_text().count("\n") > 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130
    assert f"stopped; the results so far are in {trials.relative_to(tmp_path)};" in error
    before = trials.read_text()
    code, _, error = run(*given)
    assert code == 2 and "an unfinished run; continue it with --resume, or delete that" in error
    assert trials.read_text() == before


def test_wrong_options_are_told(run, patch_model, line):
    given = ("--model", patch_model, "--normal-dir", line / "train" / "good")
    code, _, error = run(*given, "--kind", "hole")
    assert code == 2 and "no kind of defect 'hole', only scratch, crack" in error
    code, _, error = run(*given, "--pixels-per-mm", 0)
    assert code == 2 and "must be above 0" in error
