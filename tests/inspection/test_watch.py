import json
import multiprocessing
import os
import shutil
import sys
import threading
import time

import pytest

from anomgan.cli.watch import watch
from anomgan.data.folders import list_images
from anomgan.errors import InputError
from anomgan.inspection.scorer import Pictures
from anomgan.inspection.watch import PATIENCE, Watcher


class Looks(threading.Event):
    """Stops a watch after some looks; between them it does something in the folder."""

    def __init__(self, *between):
        super().__init__()
        self.between = list(between)

    def wait(self, timeout=None):
        if self.between:
            self.between.pop(0)()
        else:
            self.set()


def nothing():
    pass


@pytest.fixture
def place(whole_model, line, tmp_path):
    """A folder in which images arrive, and what is needed to watch it."""

    class Place:
        folder, table = tmp_path / "in", tmp_path / "r.jsonl"
        ok, bad = tmp_path / "ok", tmp_path / "bad"
        photographs = list_images(line / "test")

        def arrive(self, name="a.png", number=0):
            target = self.folder / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(self.photographs[number].read_bytes())
            return target

        def watch(self, *between, move=False, **changes):
            """Watches for one look more than is done in between; gives new rows and notices."""
            rows, notices = [], []
            values = {
                "folder": self.folder,
                "model": whole_model,
                "table": self.table,
                "pictures": Pictures(tmp_path / "pictures"),
                "device": "cpu",
                "move_ok": self.ok if move else None,
                "move_anomalous": self.bad if move else None,
                "scored": rows.append,
                "notice": lambda *notice: notices.append(notice),
            }
            Watcher(**values | changes).run(Looks(*between), 0.01)
            assert notices.pop(0) == ("watching", str(self.folder))
            return rows, notices

        def rows(self):
            return [json.loads(line) for line in self.table.read_text().splitlines()]

        def moved(self):
            return sorted(
                p
                for folder in (self.ok, self.bad)
                if folder.exists()
                for p in folder.rglob("*")
                if p.is_file()
            )

    place = Place()
    place.folder.mkdir()
    return place


def test_images_are_scored_as_they_arrive_and_once(place):
    place.arrive("a.png")
    (place.folder / "notes.txt").write_text("no image")
    new, notices = place.watch(nothing, lambda: place.arrive("sub/b.png", 1), nothing, nothing)
    rows = place.rows()
    assert [row["image"] for row in rows] == [f"{place.folder}/a.png", f"{place.folder}/sub/b.png"]
    assert all(row["verdict"] in ("ok", "anomalous") and row["model_id"] for row in rows)
    assert [row["image"] for row in new] == [row["image"] for row in rows] and not notices
    assert place.watch(nothing, nothing) == ([], []), "nothing is new after a restart"
    assert place.rows() == rows


def test_an_image_that_is_still_being_written_is_waited_for(place):
    content = place.photographs[0].read_bytes()
    growing = [lambda n=n: (place.folder / "a.png").write_bytes(content[:n]) for n in (0, 99, 999)]
    pause = [nothing] * (PATIENCE - 2)
    place.watch(*growing, *pause)
    assert place.rows() == []
    place.watch(*growing, *pause, lambda: place.arrive("a.png"), nothing)
    (row,) = place.rows()
    assert "error" not in row and row["size"] == len(content)


def test_an_image_that_stays_unreadable_is_reported_once_until_it_changes(place):
    bad = place.folder / "a.png"
    bad.write_text("no image")
    (row,), _ = place.watch(*[nothing] * 2 * PATIENCE)
    assert ["is not an image" in row["error"] for row in place.rows()] == [True]
    assert row["error"] == place.rows()[0]["error"] and bad.read_text() == "no image"
    place.watch(*[nothing] * 2 * PATIENCE)
    assert len(place.rows()) == 1
    place.watch(lambda: place.arrive("a.png"), nothing)
    assert ["error" in row for row in place.rows()] == [True, False]


def test_a_name_that_comes_again_with_other_content_is_scored_again(place):
    place.arrive("a.png", 0)
    pictures = Pictures(place.folder.parent / "pictures", overlays=True)
    place.watch(nothing, lambda: place.arrive("a.png", 5), nothing, pictures=pictures)
    one, other = place.rows()
    assert one["image"] == other["image"] and one["score"] != other["score"]
    assert one["heatmap"] != other["heatmap"]
    assert os.path.exists(one["heatmap"]) and os.path.exists(other["heatmap"])


def test_good_and_bad_ones_are_moved_where_told_and_overwrite_nothing(place):
    originals = {}
    for number in range(len(place.photographs)):
        path = place.arrive(f"sub/{number}.png", number)
        originals[f"sub/{number}.png"] = path.read_bytes()
    (place.folder / "bad.png").write_text("no image")
    place.watch(*[nothing] * PATIENCE, move=True)
    verdicts = {row["image"]: row.get("verdict") for row in place.rows()}
    assert set(verdicts.values()) == {"ok", "anomalous", None}
    assert list_images(place.folder) == [place.folder / "bad.png"]
    for name, content in originals.items():
        folder = place.ok if verdicts[str(place.folder / name)] == "ok" else place.bad
        assert (folder / name).read_bytes() == content
    moved = place.moved()
    place.arrive("sub/0.png")
    _, notices = place.watch(nothing, move=True)
    (new,) = set(place.moved()) - set(moved)
    assert new.name == "0-2.png" and any(str(new) in text for _, text in notices)
    assert new.read_bytes() == originals["sub/0.png"]


def test_what_was_scored_and_not_moved_is_moved_and_not_scored_again(place):
    place.arrive("a.png")
    place.watch(nothing)
    rows = place.rows()
    place.watch(move=True)
    assert place.rows() == rows and [path.name for path in place.moved()] == ["a.png"]
    assert list(place.folder.iterdir()) == []


def test_new_content_is_not_moved_by_the_verdict_of_the_old(place):
    place.arrive("a.png", 0)
    place.watch(nothing)
    place.arrive("a.png", 5)
    place.watch(move=True)
    assert place.moved() == [] and len(place.rows()) == 1


def test_a_move_that_fails_is_said_once_and_tried_again(place):
    place.ok.write_text("a file")
    place.bad.write_text("a file")
    place.arrive("a.png")

    def mend():
        place.ok.unlink()
        place.bad.unlink()

    _, notices = place.watch(nothing, nothing, nothing, mend, move=True)
    assert [kind for kind, _ in notices] == ["problem"] and "cannot move" in notices[0][1]
    assert len(place.rows()) == 1 and len(place.moved()) == 1


def test_a_folder_that_is_away_for_a_moment_is_waited_for(place):
    place.arrive("a.png")
    away = place.folder.with_name("away")
    _, notices = place.watch(
        nothing,
        lambda: place.folder.rename(away),
        nothing,
        lambda: away.rename(place.folder),
        lambda: place.arrive("b.png", 1),
        nothing,
    )
    assert notices == [("problem", f"there is no folder {place.folder}")]
    assert [row["image"][-5:] for row in place.rows()] == ["a.png", "b.png"]


def test_what_is_left_out_is_noted_once_for_each_kind(place, caplog):
    """Files of other kinds, and pictures that anomgan wrote."""
    place.arrive("a.png")
    (place.folder / "a.nef").write_text("a raw file")
    pictures = Pictures(place.folder.parent / "pictures", overlays=True)
    place.watch(nothing, pictures=pictures)
    (heatmap,) = pictures.folder.iterdir()

    def more():
        (place.folder / "b.nef").write_text("another one")
        shutil.copy(heatmap, place.folder)

    _, notices = place.watch(nothing, more, nothing, nothing)
    assert [row["image"] for row in place.rows()] == [f"{place.folder}/a.png"] and not notices
    assert [record.message for record in caplog.records] == [
        f"{place.folder}: left out: 1 .nef",
        f"{place.folder}: left out: 2 .nef, 1 picture that anomgan wrote",
    ]


def test_what_cannot_work_is_refused_at_once(place):
    with pytest.raises(InputError, match="there is no folder"):
        place.watch(folder=place.folder / "gone")
    with pytest.raises(InputError, match="choose a folder outside"):
        place.watch(move_ok=place.folder / "ok")
    with pytest.raises(InputError, match="choose a folder outside"):
        place.watch(pictures=Pictures(place.folder / "pictures", overlays=True))
    with pytest.raises(InputError, match=".csv or .jsonl"):
        place.watch(table=place.folder / "r.txt")
    assert not place.table.exists()
    place.table.write_text('{"image": "/a.png", "model_id": "m"}\n')
    with pytest.raises(InputError, match="results of another model"):
        place.watch()


@pytest.mark.skipif(sys.platform == "win32", reason="no kill -9 there")
def test_kills_lose_and_double_nothing(place, patch_model, rng):
    contents = set()
    for copy in range(2):
        for number, photograph in enumerate(place.photographs):
            shutil.copy(photograph, place.folder / f"{copy}_{number}.png")
            contents.add((f"{copy}_{number}.png", photograph.read_bytes()))
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["anomgan.cli.watch", "anomgan.inspection.watch"])
    arguments = {
        "dir": place.folder,
        "out": place.table,
        "model": patch_model,
        "interval": 0.01,
        "move_ok": place.ok,
        "move_anomalous": place.bad,
        "device": "cpu",
    }
    for _ in range(3):
        size = place.table.stat().st_size if place.table.exists() else 0
        process = processes.Process(target=watch, kwargs=arguments)
        process.start()
        while not (place.table.exists() and place.table.stat().st_size > size):
            assert process.is_alive()
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.02))
        process.kill()
        process.join()
    assert list_images(place.folder), "the kills came before all was done"
    place.watch(nothing, move=True, model=patch_model)
    assert sorted(row["image"] for row in place.rows()) == sorted(
        str(place.folder / name) for name, _ in contents
    )
    assert list(place.folder.iterdir()) == []
    assert {(path.name, path.read_bytes()) for path in place.moved()} == contents
    assert len(place.moved()) == len(contents)


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize("name", ["r.csv", "r.jsonl"])
def test_a_watch_knows_odd_names_again(place, tmp_path, name):
    names = ["a\nb.png", "a b.png", "=1\r.png", "p" * 250 + ".png"]
    for number, image in enumerate(names):
        place.arrive(image, number)
    settings = {"table": tmp_path / name, "pictures": Pictures(tmp_path / "out", overlays=True)}
    rows, _ = place.watch(nothing, **settings)
    assert len({row["image"] for row in rows}) == len(names)
    assert len({row["heatmap"] for row in rows}) == len(list((tmp_path / "out").iterdir())) == 4
    assert place.watch(nothing, **settings) == ([], [])
