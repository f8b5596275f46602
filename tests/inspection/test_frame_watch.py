import csv
import json
import threading
from contextlib import ExitStack, closing

import pytest
from conftest import file_limit
from videos import write_video

from anomgan import load
from anomgan.data.decode import read_image, with_channels
from anomgan.data.folders import list_images
from anomgan.errors import InputError
from anomgan.inspection.frame_watch import FrameWatcher
from anomgan.inspection.scorer import Pictures
from anomgan.inspection.sources import open_video
from anomgan.inspection.triggers import every_frame


@pytest.fixture
def parts(line):
    return [with_channels(read_image(path), 3) for path in list_images(line / "test")[:5]]


@pytest.fixture
def watch(whole_model, tmp_path):
    """Watches a video to its end, or until some rows are there; gives new rows and notices."""

    def run(video, table="r.jsonl", rows=None, pictures=False, model=whole_model):
        new, notices, stop = [], [], threading.Event()

        def scored(row):
            new.append(row)
            if len(new) == rows:
                stop.set()

        def notice(*what):
            notices.append(what)

        source = open_video(str(video), every_frame, lambda text: notice("problem", text))
        FrameWatcher(
            source,
            model,
            tmp_path / table,
            pictures=Pictures(tmp_path / "pictures", overlays=pictures),
            device="cpu",
            scored=scored,
            notice=notice,
        ).run(stop)
        source.close()
        return new, notices

    return run


def test_a_frame_is_scored_as_its_image_is(watch, whole_model, parts, tmp_path):
    video = write_video(tmp_path / "a.avi", parts)
    new, notices = watch(video)
    assert notices == [("watching", str(video))]
    rows = [json.loads(text) for text in (tmp_path / "r.jsonl").read_text().splitlines()]
    results = load(whole_model, "cpu").score(parts)
    assert [row["score"] for row in rows] == pytest.approx([one.score for one in results])
    assert [row["verdict"] for row in rows] == [one.verdict for one in results]
    assert [row["image"] for row in rows] == [f"{video}#{n:06}" for n in range(5)]
    assert [row["time"] for row in rows] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    assert [row["image"] for row in new] == [row["image"] for row in rows]


@pytest.mark.parametrize("table", ["r.jsonl", "r.csv"])
def test_a_watch_goes_on_and_takes_a_new_video_of_the_same_name(watch, parts, tmp_path, table):
    video = write_video(tmp_path / "a.avi", parts)
    first, _ = watch(video, table, rows=2, pictures=True)
    rest, _ = watch(video, table, pictures=True)
    assert [row["image"][-6:] for row in first + rest] == [f"{n:06}" for n in range(5)]
    assert watch(video, table)[0] == []
    write_video(video, parts[::-1])
    again, _ = watch(video, table, pictures=True)
    assert len(again) == 5
    text = (tmp_path / table).read_text()
    rows = list(csv.DictReader(text.splitlines())) if table == "r.csv" else text.splitlines()
    assert len(rows) == 10
    assert len({row["heatmap"] for row in first + rest + again}) == 10
    assert len(list((tmp_path / "pictures").iterdir())) == 10


def test_a_frame_that_cannot_be_scored_gets_a_row(watch, patch_model, parts, tmp_path):
    video = write_video(tmp_path / "a.avi", [parts[0][:4, :4]])
    ((row,), _) = watch(video, model=patch_model)
    assert row["image"] == f"{video}#000000"
    assert row["error"].startswith(f"{video}#000000: image is 4 x 4 pixels")


def test_a_full_disk_is_waited_for_and_costs_no_frame(whole_model, parts, tmp_path):
    table, problems, full = tmp_path / "r.jsonl", [], ExitStack()

    def scored(row):
        if not problems:
            full.enter_context(file_limit(table.stat().st_size + 10))

    def notice(kind, text):
        problems.extend([text] if kind == "problem" else [])
        full.close()

    source = open_video(str(write_video(tmp_path / "a.avi", parts)), every_frame, print)
    watcher = FrameWatcher(
        source,
        whole_model,
        table,
        pictures=Pictures(tmp_path),
        device="cpu",
        scored=scored,
        notice=notice,
    )
    with full, closing(source):
        watcher.run(threading.Event(), 0.01)
    assert "File too large" in problems[0] and "tried again every 0.01 s" in problems[0]
    assert problems[1:] == [f"{table} is written again"]
    rows = [json.loads(text) for text in table.read_text().splitlines()]
    assert [row["image"][-6:] for row in rows] == [f"{n:06}" for n in range(5)]


def test_drift_is_told_once_and_known_after_a_restart(watch, parts, tmp_path):
    """One part over and over is what a line does not do."""
    video = write_video(tmp_path / "a.avi", parts[:1] * 150)
    _, notices = watch(video)
    told = [text for kind, text in notices if kind == "drift"]
    assert told and told[0].startswith("drifting: ") and len(set(told)) == len(told) <= 2
    new, notices = watch(video)
    assert new == [] and ("drift", told[-1]) in notices


def test_a_table_of_a_folder_is_not_continued_with_frames(watch, parts, tmp_path):
    (tmp_path / "r.csv").write_text("image,score\n")
    with pytest.raises(InputError, match="give another --out"):
        watch(write_video(tmp_path / "a.avi", parts), "r.csv")
