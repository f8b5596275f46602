import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import anomgan
from anomgan.machine import progress

WORK = """
import time
from anomgan.machine.progress import progress_bar
losses = {"generator": 0.1234, "discriminator": 1.5, "contextual": 0.02, "encoder": 3.25e-5}
with progress_bar("training the networks", 3000) as report:
    for done in range(1, 6):
        report(120 * done, losses)
        time.sleep(0.15)
"""


def on_a_terminal(columns):
    """What the work writes to a terminal of that width, without colours."""
    pty = pytest.importorskip("pty")
    master, terminal = pty.openpty()
    package = str(Path(anomgan.__file__).parents[1])
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm", "PYTHONPATH": package}
    process = subprocess.Popen([sys.executable, "-c", WORK], stderr=terminal, env=environment)
    os.close(terminal)
    written = b""
    try:
        while part := os.read(master, 65536):
            written += part
    except OSError:  # the other end was closed
        pass
    os.close(master)
    assert process.wait() == 0
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 220])
def test_a_bar_fits_terminals_of_any_width(columns):
    lines = re.split(r"[\r\n]+", on_a_terminal(columns))
    shown = [line for line in lines if "600/3000" in line]
    assert shown
    for line in shown:
        assert len(line) <= columns
        assert line.count("━") + line.count("╸") + line.count("╺") >= 6
    assert columns < 80 or all("generator" in line for line in shown)
    assert columns < 220 or all("encoder 3.25e-05" in line for line in shown)


def test_without_a_terminal_there_is_a_plain_line_now_and_then(capsys, monkeypatch):
    now = 0.0
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)
    with progress.progress_bar("training", 3000) as report:
        for done in range(1, 31):
            now = 1.0 * done
            report(100 * done, {"generator": 0.5})
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "training: 1000 of 3000, 0:00:20 left  generator 0.5",
        "training: 2000 of 3000, 0:00:10 left  generator 0.5",
        "training: 3000 of 3000  generator 0.5",
    ]


def test_work_of_a_moment_says_nothing_without_a_terminal(capsys):
    with progress.progress_bar("reading images", 10) as report:
        for done in range(10):
            report(done + 1)
    assert capsys.readouterr().err == ""
