import csv
import json
import multiprocessing
import os
import sys
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath

import cv2
import numpy as np
import pytest
import typer

from anomgan.cli.score import below_common, score
from anomgan.data.folders import list_images
from anomgan.errors import InputError, Interrupted


@pytest.fixture
def say(capsys):
    """Scores images; gives the lines that are printed."""

    def run(model, images=(), **options):
        capsys.readouterr()
        with suppress(typer.Exit):  # some images cannot be read
            score(list(images), model=model, device="cpu", **options)
        return capsys.readouterr().out.splitlines()

    return run


def read(table):
    if table.suffix == ".csv":
        with table.open(newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in table.read_text().splitlines()]


@pytest.fixture
def parts(line, tmp_path):
    """A folder of 45 images and a file that is none."""
    folder = tmp_path / "parts"
    folder.mkdir()
    for path in list_images(line / "test"):
        for copy in range(3):
            os.link(path, folder / f"{path.parent.name}_{copy}_{path.name}")
    (folder / "bad.png").write_text("no image")
    return folder


def test_images_that_are_scored_together_get_the_rows_they_get_alone(
    say, whole_model, line, tmp_path
):
    images = list_images(line / "test")
    (tmp_path / "bad.png").write_text("no image")
    images.insert(2, tmp_path / "bad.png")

    def rows(some):
        return [json.loads(line) for line in say(whole_model, some, json=True)]

    together, alone = rows(images), [row for image in images for row in rows([image])]
    assert [row["image"] for row in together] == [str(image) for image in images]
    assert "is not an image" in together[2]["error"]
    for one, other in zip(together, alone, strict=True):
        if "error" in other:
            assert one == other
        else:
            assert one["score"] == pytest.approx(other["score"], rel=1e-4)


def test_a_black_frame_is_anomalous_and_says_why(say, whole_model, tmp_path):
    cv2.imwrite(str(tmp_path / "cap.png"), np.zeros((96, 96), np.uint8))
    (line,) = say(whole_model, [tmp_path / "cap.png"])
    assert line.startswith("anomalous ") and "no contrast" in line
    (row,) = say(whole_model, [tmp_path / "cap.png"], json=True)
    assert "no contrast" in json.loads(row)["reason"]


def test_a_warning_is_printed_once_for_all_images(whole_model, line, tmp_path, capsys):
    for number, path in enumerate(list_images(line / "test" / "good")):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)[:90]
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    score(dir=tmp_path, model=whole_model, device="cpu", out=tmp_path.parent / "warned.csv")
    (warned,) = capsys.readouterr().err.splitlines()
    assert warned.startswith("warning    images of another size") and "0.png" in warned
    rows = read(tmp_path.parent / "warned.csv")
    assert [len(json.loads(row["warnings"])) for row in rows] == [1] * len(rows)


def test_an_image_that_is_named_twice_is_scored_once(say, whole_model, parts, tmp_path):
    first = list_images(parts)[0]
    table = tmp_path / "r.jsonl"
    images = [first, parts / ".." / "parts" / first.name]
    said = say(whole_model, images, dir=parts, out=table)
    assert said[-1].startswith("46 images: ") and len(read(table)) == 46


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_a_job_that_stopped_goes_on_and_counts_everything(say, whole_model, parts, tmp_path, name):
    table, whole = tmp_path / name, tmp_path / f"whole_{name}"
    expected = say(whole_model, dir=parts, out=whole)[-1].replace(str(whole), str(table))
    lines = whole.read_bytes().splitlines(keepends=True)
    table.write_bytes(b"".join(lines[:20]) + lines[20][:30])
    before = table.read_bytes()
    with pytest.raises(InputError, match="exists already; continue it with --resume"):
        say(whole_model, dir=parts, out=table)
    assert table.read_bytes() == before
    said = say(whole_model, dir=parts, out=table, resume=True)
    done = 19 if name == "r.csv" else 20
    assert said[0] == f"{done} of 46 images are in {table} already"
    assert said[-1] == expected and "1 could not be scored" in expected
    assert [(r["image"], r.get("verdict")) for r in read(table)] == [
        (r["image"], r.get("verdict")) for r in read(whole)
    ]
    content = table.read_bytes()
    assert say(whole_model, dir=parts, out=table, resume=True)[-1] == expected
    assert table.read_bytes() == content, "nothing is left to do"


def test_a_table_of_another_model_is_not_gone_on_with(
    say, whole_model, patch_model, parts, tmp_path
):
    table = tmp_path / "r.jsonl"
    say(whole_model, dir=parts, out=table)
    with pytest.raises(InputError, match="results of another model"):
        say(patch_model, dir=parts, out=table, resume=True)


def test_ctrl_c_says_how_to_go_on(whole_model, parts, tmp_path, monkeypatch):
    table = tmp_path / "r.jsonl"

    def interrupt(text, err):
        raise KeyboardInterrupt

    monkeypatch.setattr("typer.echo", interrupt)
    with pytest.raises(Interrupted, match="results so far are in .*r.jsonl; .* with --resume"):
        score(dir=parts, model=whole_model, out=table, device="cpu")
    assert len(read(table)) == 1, "bad.png is the first, and the first that is spoken of"


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 there")
@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_kills_lose_and_double_nothing(say, patch_model, parts, tmp_path, name, rng):
    table = tmp_path / name
    going_on = {"model": patch_model, "dir": parts, "out": table, "resume": True}
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["anomgan.cli.score", "anomgan.inspection.scorer"])
    for _ in range(3):
        size = table.stat().st_size if table.exists() else 0
        process = processes.Process(target=score, kwargs=going_on | {"device": "cpu"})
        process.start()
        while process.is_alive() and not (table.exists() and table.stat().st_size > size + 300):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.join()
    cut_off = table.read_bytes().count(b"\n")
    assert 3 <= cut_off < 46
    assert say(**going_on)[-1].startswith("46 images: ")
    assert [row["image"] for row in read(table)] == [str(path) for path in list_images(parts)]


@pytest.mark.skipif(sys.platform != "linux", reason="most of these are no names there")
@pytest.mark.parametrize("table", ["r.csv", "r.jsonl"])
def test_names_with_line_ends_and_codes_are_scored_once_each(
    say, whole_model, line, tmp_path, table
):
    names = ["a\nb", "a b", "a\rb", "a\x85b", "a\u2028b", "a\tb", '"a",b', "=1+1", "-1", "\x1b[2J"]
    names += [r"a\x0ab", os.fsdecode(b"\xff"), "\n", " "]
    folder = tmp_path / "parts"
    folder.mkdir()
    for name in names:
        os.link(list_images(line / "test" / "good")[0], folder / f"{name}.png")
    out = tmp_path / table
    said = say(whole_model, dir=folder, out=out)
    assert said[0].startswith(f"{len(names)} images: ")
    content = out.read_bytes()
    said = say(whole_model, dir=folder, out=out, resume=True)
    assert said[0] == f"{len(names)} of {len(names)} images are in {out} already"
    assert out.read_bytes() == content
    printed = say(whole_model, dir=folder)
    assert len(printed) == len(names) + 1 and not any("\x1b" in text for text in printed)


@pytest.mark.parametrize(
    ("kind", "places"),
    [
        (PurePosixPath, {"/a/b": ".", "/a/b/c": "c"}),
        (PurePosixPath, {"/a/b": "."}),
        (PurePosixPath, {"/a": "a", "/b/c": "b/c", "/": "."}),
        (PureWindowsPath, {r"C:\a\b": "b", r"C:\a\c": "c"}),
        (PureWindowsPath, {r"C:\a": "C/a", r"D:\a": "D/a", r"\\nas\line 1\a": "nas/line 1/a"}),
    ],
)
def test_pictures_lie_as_their_images_do_below_what_all_share(kind, places):
    found = below_common(map(kind, places))
    assert found == {kind(folder): Path(place) for folder, place in places.items()}
