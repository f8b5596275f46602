import asyncio
import json
import re
import shutil
import subprocess
import sys
import urllib.request
from functools import partial

import numpy as np
import pytest
from conftest import ROOT
from fastapi.testclient import TestClient
from typer.testing import CliRunner
from videos import write_video

from anomgan import load
from anomgan.cli.app import app as cli
from anomgan.cli.serve_log import JsonServeLog
from anomgan.data.decode import read_image
from anomgan.data.folders import list_images
from anomgan.inspection.sources import Camera, open_video
from anomgan.inspection.triggers import every_frame
from anomgan.station.app import create_app
from anomgan.station.filmed import FilmedSource


@pytest.fixture(scope="module")
def frames(line):
    return [np.dstack([read_image(path)] * 3) for path in list_images(line / "test")[:4]]


@pytest.fixture(scope="module")
def video(frames, tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("videos") / "line.avi", frames)


def test_the_frames_of_a_video_are_scored_to_its_end(station, patch_model, frames, video):
    model = station.models["part"]
    filmed = FilmedSource(station, model, partial(open_video, str(video), every_frame))
    asyncio.run(filmed.run())
    rows = [part.row for part in model.parts.after(0)]
    assert [row["image"] for row in rows] == [f"line.avi#{number:06}" for number in range(4)]
    expected = [result.score for result in load(patch_model, "cpu").score(frames)]
    assert [row["score"] for row in rows] == pytest.approx(expected, rel=1e-4)
    assert filmed.about == {"name": "line.avi", "came": 4, "dropped": 0, "ended": True}
    assert filmed.problem is None
    state = TestClient(create_app(station, None, [filmed]), "http://127.0.0.1").get(
        "/models/part/parts"
    )
    assert state.json()["sources"] == [filmed.about]


class Lens:
    """A camera that is away after its first frame, and gives small ones when it is back."""

    def __init__(self, *images):
        self.images = list(images)

    def read(self):
        return (True, self.images.pop(0)) if self.images else (False, None)

    def release(self):
        pass


def test_a_camera_that_is_away_is_a_problem_until_it_is_back(station, frames):
    lenses = [Lens(frames[0]), Lens(), Lens(frames[1])]

    def open_camera(tell):
        return Camera(lambda: lenses.pop(0), "camera-0", every_frame, tell, retry=0.2)

    model = station.models["part"]
    filmed = FilmedSource(station, model, open_camera)
    problems = set()

    async def steps():
        task = asyncio.create_task(filmed.run())
        while len(model.parts.after(0)) < 2:
            problems.add(filmed.problem)
            await asyncio.sleep(0.01)
            lenses.extend([] if lenses else [Lens()])
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(steps())
    assert "camera-0 gives no frames; it is tried again every 0.2 s" in problems
    assert filmed.about["ended"] and filmed.about["came"] == 2
    assert model.parts.after(0)[0].row["image"].startswith("camera-0/")


def test_a_log_of_json_has_a_line_for_each_event(patch_model, video, line, tmp_path):
    command = [sys.executable, "-m", "anomgan", "serve", "--port", "0", "--device", "cpu"]
    command += ["--model", f"part={patch_model}", "--video", str(video), "--log-json"]
    command += ["--watch", f"part={tmp_path}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, cwd=ROOT) as server:
        lines = (json.loads(text) for text in server.stderr)
        start = next(lines)
        assert start["event"] == "start" and start["models"] == ["part"]
        scored = [next(lines) for _ in range(4)]
        assert {one["event"] for one in scored} == {"scored"}
        assert [one["image"][-4:] for one in scored] == ["0000", "0001", "0002", "0003"]
        assert all(one["served"] == "part" and one["verdict"] for one in scored)
        assert re.fullmatch(r"http://127.0.0.1:\d+/", start["address"])
        with urllib.request.urlopen(start["address"] + "health") as answer:
            assert json.load(answer)["status"] == "ok"
        shutil.copy(list_images(line / "test")[0], tmp_path / "new.png")
        arrived = next(lines)
        assert (arrived["event"], arrived["image"], arrived["served"]) == (
            *("scored", "new.png", "part"),
        )
        server.terminate()
        (stopped,) = lines
        assert server.wait(60) == 0 and server.stdout.read() == ""
    assert stopped["event"] == "stopped"
    counts = stopped["counts"]["part"]
    assert counts["ok"] + counts["anomalous"] == 5


def test_drift_is_logged_where_it_begins(make_station, frames, tmp_path, capsys):
    """One part over and over is what a line does not do."""
    video = write_video(tmp_path / "stuck.avi", frames[:1] * 150)
    station = make_station(scored=JsonServeLog().scored)
    model = station.models["part"]
    filmed = FilmedSource(station, model, partial(open_video, str(video), every_frame))
    asyncio.run(filmed.run())
    station.close()
    events = [json.loads(text) for text in capsys.readouterr().err.splitlines()]
    drifts = [number for number, one in enumerate(events) if one["event"] == "drift"]
    assert len(events) - len(drifts) == 150 and 1 <= len(drifts) <= 2
    first = events[drifts[0]]
    assert first["served"] == "part" and first["text"].startswith("drifting: ")
    assert f" of {drifts[0]} images" in first["text"], "it stands behind the image that shows it"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--camera", "0", "--video", "a.mp4"], "give --camera or --video, not both"),
        (["--every", "1"], "use them with --camera or --video"),
        (["--camera", "99"], "cannot open camera 99"),
        (["--video", "gone.mp4", "--every", "1", "--when-settled"], "not both"),
        (["--keep", __file__], "cannot write"),
        (["--model", "a b (1)"], "--model name='a b (1)'"),
    ],
)
def test_what_cannot_be_served_is_refused(patch_model, options, said):
    command = ["serve", "--port", "0", "--model", str(patch_model), "--log-json", *options]
    ran = CliRunner().invoke(cli, command)
    (event,) = [json.loads(text) for text in ran.stderr.splitlines()]
    assert ran.exit_code == 2 and event["event"] == "error" and said in event["text"]
