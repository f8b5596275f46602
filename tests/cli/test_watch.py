import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import typer
from videos import write_video

from anomgan.cli.watch import watch
from anomgan.data.folders import list_images
from anomgan.errors import InputError


@pytest.fixture
def video(tmp_path):
    frames = [np.full((96, 96, 3), 20 * number, np.uint8) for number in range(12)]
    return write_video(tmp_path / "line.avi", frames)


def test_a_video_is_scored_to_its_end(video, whole_model, tmp_path, capsys):
    table = tmp_path / "r.csv"
    watch(table, video=str(video), every=0.5, model=whole_model, device="cpu")
    first, *rows, came, counts = capsys.readouterr().out.splitlines()
    assert first == f"watching {video}; Ctrl-C ends it"
    assert [row.split("#")[1][:6] for row in rows if "#" in row] == ["000000", "000005", "000010"]
    assert came == f"12 frames came from {video}"
    assert counts.startswith("3 images: ") and counts.endswith(f"table in {table}")


@pytest.mark.parametrize(
    "options, said",
    [
        ({}, "say what to watch"),
        ({"dir": "in", "camera": 0}, "say what to watch"),
        ({"camera": 99}, "cannot open camera 99"),
        ({"video": "gone.mp4"}, "there is no file gone.mp4"),
        ({"camera": 0, "move_ok": "ok"}, "only files can be moved"),
        ({"dir": "in", "every": 1.0}, "use them without --dir"),
        ({"dir": "in", "when_settled": True}, "use them without --dir"),
        ({"camera": 0, "every": 1.0, "when_settled": True}, "not both"),
    ],
)
def test_what_cannot_be_watched_is_refused(options, said, tmp_path):
    with pytest.raises(InputError, match=said):
        watch(tmp_path / "r.csv", **options)
    assert not (tmp_path / "r.csv").exists()


def test_a_log_of_json_has_a_line_for_each_event(video, whole_model, tmp_path, capsys):
    table = tmp_path / "r.csv"
    options = {"model": whole_model, "device": "cpu", "log_json": True}
    watch(table, video=str(video), every=0.5, **options)
    out, err = capsys.readouterr()
    events = [json.loads(text) for text in err.splitlines()]
    assert out == "" and all(event["logged"].endswith("+00:00") for event in events)
    start, *between, stopped = events
    assert start["event"] == "start" and start["watching"] == str(video)
    scored = [event for event in between if event["event"] == "scored"]
    assert [event["image"][-6:] for event in scored] == ["000000", "000005", "000010"]
    assert {event["event"] for event in between} <= {"scored", "warning", "drift"}
    counts = {name: stopped[name] for name in ("event", "images", "frames", "dropped")}
    assert counts == {"event": "stopped", "images": 3, "frames": 12, "dropped": 0}


def test_a_log_of_json_has_notes_and_errors(whole_model, line, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    shutil.copy(list_images(line / "test")[0], tmp_path / "in")
    (tmp_path / "in" / "a.nef").write_text("a raw file")
    (tmp_path / "r.jsonl").write_text("no table\n")
    with pytest.raises(typer.Exit) as ended:
        watch(
            tmp_path / "r.jsonl",
            dir=tmp_path / "in",
            model=whole_model,
            device="cpu",
            log_json=True,
        )
    assert ended.value.exit_code == 2
    note, error = map(json.loads, capsys.readouterr().err.splitlines())
    assert note["event"] == "warning" and note["text"].endswith("left out: 1 .nef")
    assert error["event"] == "error" and "give another --out" in error["text"]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_scores_what_arrives_and_ends_with_a_summary(whole_model, line, tmp_path, ending):
    incoming, table = tmp_path / "in", tmp_path / "r.jsonl"
    incoming.mkdir()
    command = [sys.executable, "-m", "anomgan", "watch", "--dir", incoming, "--out", table]
    command += ["--model", whole_model, "--interval", "0.01", "--move-ok", tmp_path / "ok"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout.readline() == f"watching {incoming}; Ctrl-C ends it\n"
    shutil.copy(list_images(line / "test")[0], incoming / "a.png")
    assert str(incoming / "a.png") in process.stdout.readline()
    process.send_signal(ending)
    out, err = process.communicate()
    assert process.returncode == 0 and err == ""
    assert out.endswith(f"; table in {table}\n") and "1 image: " in out
    assert json.loads(table.read_text())["image"] == str(incoming / "a.png")
