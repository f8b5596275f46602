import io
import shutil
import sqlite3
import time

import numpy as np
import pytest
from conftest import file_limit
from fastapi.testclient import TestClient
from PIL import Image

from anomgan import load
from anomgan.data.flange import write_line
from anomgan.data.folders import list_images
from anomgan.detectors.model_folder import change_rate
from anomgan.errors import InputError
from anomgan.station.app import create_app
from anomgan.station.recalibration import Recalibration
from anomgan.station.review import MOST_WAITING, UNSAVED, NotSaved, Review

URL = "/models/part/review"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Good parts that the model has not seen, and defective ones."""
    folder = tmp_path_factory.mktemp("new")
    write_line(folder, 14, 1, 2, size=96, seed=7)
    return list_images(folder / "train"), list_images(folder / "test" / "chip")


@pytest.fixture
def place(make_station, patch_model, parts, tmp_path):
    class Place:
        model, folder = tmp_path / "model", tmp_path / "review"
        good, defects = ([path.read_bytes() for path in some] for some in parts)

        def open(self):
            self.review = Review(self.folder)
            self.station = make_station(self.model, review=self.review)
            return TestClient(create_app(self.station), "http://127.0.0.1")

        def send(self, client, images):
            for number, data in enumerate(images):
                answer = client.post(f"/models/part/score?name={number}.png", content=data)
                assert answer.status_code == 200

    shutil.copytree(patch_model, Place.model)
    return Place()


def every(client, on=True):
    client.post(f"{URL}/queue", json={"every_part": on})


def state(client, **query):
    return client.get(URL, params=query).json()


def say(client, part, answer, **more):
    values = {"answer": answer, "version": part["version"], **more}
    return client.post(f"{URL}/{part['id']}", json=values)


def finished(client):
    for _ in range(1000):
        about = state(client)["recalibration"]
        if about["state"] != "running":
            return about
        time.sleep(0.02)
    raise AssertionError("it never ends")


def test_only_doubtful_and_anomalous_parts_queue_until_every_part_is_asked_for(place):
    with place.open() as client:
        place.send(client, place.good + place.defects)
        parts = client.get("/models/part/parts").json()["parts"]
        wanted = [p for p in parts if p["doubtful"] or p["result"]["verdict"] == "anomalous"]
        waiting = state(client)["parts"]
        assert [p["name"] for p in waiting] == [p["result"]["image"] for p in wanted]
        assert 0 < len(waiting) < len(parts)
        assert {p["why"] for p in waiting} <= {"doubtful", "anomalous"}
        every(client)
        place.send(client, place.good)
        assert state(client)["waiting"] == len(waiting) + len(place.good)
        every(client, on=False)
        assert not state(client)["every_part"]


def test_an_answer_is_kept_with_its_boxes_and_can_be_taken_back(place):
    with place.open() as client:
        every(client)
        place.send(client, place.defects)
        first, second = state(client)["parts"]
        photo, heat = (client.get(f"{URL}/{first['id']}/{kind}") for kind in ("photo", "heat"))
        assert all(Image.open(io.BytesIO(one.content)).size == (96, 96) for one in (photo, heat))
        boxes = [[10, 20, 30, 40], [-5, 90, 20, 50], [200, 0, 5, 5]]
        saved = say(client, first, "defect", boxes=boxes, operator="a").json()
        assert saved["boxes"] == [[10, 20, 30, 40], [0, 90, 15, 6]]
        now = state(client)
        assert [p["id"] for p in now["parts"]] == [second["id"]] and now["defect"] == 1
    with place.open() as client:
        now = state(client)
        assert now["defect"] == now["waiting"] == 1, "after a restart"
        say(client, saved, None)
        assert state(client)["waiting"] == 2
        (file,) = {path.read_bytes() for path in place.folder.rglob("*.png")} - {place.defects[1]}
        assert file == place.defects[0], "images are kept as they came"


def test_of_two_operators_the_second_is_told(place):
    with place.open() as client:
        every(client)
        place.send(client, place.defects[:1])
        (part,) = state(client, operator="a")["parts"]
        assert state(client, operator="a")["others"] == 0
        assert state(client, operator="b")["others"] == 1
        assert say(client, part, "defect", operator="a").status_code == 200
        late = say(client, part, "good", operator="b")
        assert late.status_code == 409 and "has called defect this part" in late.json()["error"]
        assert late.json()["item"]["answer"] == "defect"
        assert state(client)["defect"] == 1 and state(client)["good"] == 0


def test_what_is_no_answer_is_refused(place):
    with place.open() as client:
        every(client)
        place.send(client, place.defects[:1])
        (part,) = state(client)["parts"]
        for values in ({}, {"answer": "perhaps", "version": 0}, {"answer": "good"}, [1]):
            answer = client.post(f"{URL}/{part['id']}", json=values)
            assert answer.status_code == 422 and answer.json()["error"]
        endless = '{"answer": "defect", "version": 0, "boxes": [[NaN, 0, 1, 1]]}'
        assert client.post(f"{URL}/{part['id']}", content=endless).status_code == 422
        assert client.post(f"{URL}/{part['id']}", content=b"{").status_code == 422
        huge = {"answer": "defect", "version": 0, "boxes": [[1e300, -1e300, 1e308, 1e308]]}
        assert client.post(f"{URL}/{part['id']}", json=huge).status_code == 422
        assert say(client, part | {"version": 2**70}, "good").status_code == 422
        assert say(client, part | {"id": 2**70}, "good").status_code == 422
        unknown = client.post(f"{URL}/999", json={"answer": "good", "version": 0})
        assert unknown.status_code == 404
        assert client.get("/models/other/review").status_code == 404


def test_a_recalibration_waits_for_a_word_and_then_changes_the_threshold(place):
    before_files = {path.name: path.read_bytes() for path in place.model.iterdir()}
    with place.open() as client:
        (before,) = client.get("/models").json()
        every(client)
        place.send(client, place.good + place.defects)
        waiting = state(client)["parts"]
        for part in waiting[: len(place.good)]:
            say(client, part, "good")
        for part in waiting[len(place.good) :]:
            say(client, part, "defect")
        assert state(client)["recalibration"] == {"state": "none"}, "nothing is learnt by itself"
        assert client.post(f"{URL}/recalibration").status_code == 200
        about = finished(client)
        assert about["state"] == "ready" and about["images"] == len(place.good)
        assert about["before"] == before["threshold"] != about["after"]
        assert about["chosen"] == 0 and about["defects"] == len(place.defects)
        found = sum(part["score"] > about["after"] for part in waiting[len(place.good) :])
        assert about["found_after"] == found
        files = {path.name: path.read_bytes() for path in place.model.iterdir()}
        assert files == before_files, "not used yet"
        other, aside = place.model.with_name("other"), place.model.with_name("aside")
        change_rate(place.model, other, 0.5)
        place.model.rename(aside)
        other.rename(place.model)
        refused = client.post(f"{URL}/recalibration/apply")
        assert refused.status_code == 422 and "replaced meanwhile" in refused.json()["error"]
        place.model.rename(other)
        aside.rename(place.model)
        assert client.post(f"{URL}/recalibration/apply").json()["state"] == "applied"
        (after,) = client.get("/models").json()
        assert after["threshold"] == about["after"] and after["model_id"] != before["model_id"]
        assert load(place.model, "cpu").fitted.calibration.threshold == about["after"]
        again = client.post(f"{URL}/recalibration/apply")
        assert again.status_code == 422 and "recalibrate first" in again.json()["error"]


def test_a_recalibration_without_enough_good_parts_fails_in_words_and_changes_nothing(place):
    with place.open() as client:
        every(client)
        place.send(client, place.good[:2])
        for part in state(client)["parts"]:
            say(client, part, "good")
        (before,) = client.get("/models").json()
        client.post(f"{URL}/recalibration")
        about = finished(client)
        assert about["state"] == "failed" and "at least 6 are needed" in about["error"]
        assert client.post(f"{URL}/recalibration/apply").status_code == 422
        assert client.get("/models").json() == [before]


def test_a_recalibration_that_cannot_read_the_answers_does_not_run_for_ever(place):
    with place.open():
        base = sqlite3.connect(place.folder / "review.sqlite")
        base.execute("ALTER TABLE parts RENAME TO hidden")
        with pytest.raises(NotSaved, match="no such table"):
            run = Recalibration(place.station.models["part"], place.review)
            run.begin()
            run.run()
        assert run.about["state"] == "failed" and "cannot read" in run.about["error"]
        base.execute("ALTER TABLE hidden RENAME TO parts")
        base.close()


def test_parts_chosen_by_score_are_left_out_where_others_are_enough(place):
    with place.open() as client:
        place.send(client, place.good)
        chosen = state(client)["waiting"]
        every(client)
        place.send(client, place.good[:8])
        for part in state(client)["parts"]:
            say(client, part, "good")
        client.post(f"{URL}/recalibration")
        about = finished(client)
        assert chosen and (about["images"], about["chosen"]) == (8, 0)
        assert client.post(f"{URL}/recalibration/discard").json() == {"state": "none"}


def test_the_export_is_a_data_set_with_masks(place):
    with place.open() as client:
        assert "nothing to export" in client.post(f"{URL}/export").json()["error"]
        every(client)
        place.send(client, place.good[:1] + place.defects)
        good, first, second = state(client)["parts"]
        say(client, good, "good")
        say(client, first, "defect", boxes=[[10, 20, 30, 40]])
        say(client, second, "defect")
        made = client.post(f"{URL}/export").json()
        assert made == client.post(f"{URL}/export").json(), "it is replaced"
        folder = place.folder / "mvtec" / "part"
        (mask,) = (folder / "ground_truth" / "defect").iterdir()
        shutil.copy(mask, place.folder / "saved.png")
        Image.open(mask).point(lambda value: 255 - value).save(mask)  # somebody drew it anew
        drawn = mask.read_bytes()
        assert "anomgan did not write it" in client.post(f"{URL}/export").json()["error"]
        assert mask.read_bytes() == drawn
        shutil.move(place.folder / "saved.png", mask)
    assert made == {"folder": str(folder), "good": 1, "defect": 2}
    (image,) = (folder / "test" / "good").iterdir()
    assert image.read_bytes() == place.good[0]
    assert len(list((folder / "test" / "defect").iterdir())) == 2
    assert (folder / "test" / "defect" / mask.name.replace("_mask", "")).exists()
    pixels = np.array(Image.open(mask))
    assert (pixels[20:60, 10:40] == 255).all() and pixels.sum() == 255 * 30 * 40


def test_a_full_disk_loses_no_verdict_no_part_and_no_answer(place):
    with place.open() as client:
        every(client)
        place.send(client, place.good[:2])
        full = "PRAGMA max_page_count = 1"
        place.review._base.execute(full)  # SQLite takes the present size and raises when it is over
        sent = 2
        while not client.get("/health").json()["problems"]:
            place.send(client, place.defects[:1])
            sent += 1
        (problem,) = client.get("/health").json()["problems"]
        assert "full" in problem and "held in memory" in problem
        files = list((place.folder / "images").iterdir())
        assert len(files) == state(client)["waiting"] == sent - 1
        for part in state(client)["parts"]:
            many = [[1, 1, 2, 2]] * 100
            answer = say(client, part, "defect", boxes=many, operator="x" * 100)
            if answer.status_code == 507:
                break
        assert "this is not saved" in answer.json()["error"]
        assert part["id"] in [one["id"] for one in state(client)["parts"]]
        place.review._base.execute("PRAGMA max_page_count = 1000000")
        assert say(client, part, "defect").status_code == 200
        now = state(client)
        assert now["waiting"] + now["defect"] == sent, "the part in memory is saved as well"
        assert client.get("/health").json()["problems"] == []


def test_an_image_that_does_not_fit_leaves_no_half_file(place):
    with place.open() as client:
        every(client)
        with file_limit(1000):
            place.send(client, place.good[:1] * (UNSAVED + 2))
            problems = client.get("/health").json()["problems"]
            files = list((place.folder / "images").iterdir())
        assert "held in memory" in problems[0] and files == []
        now = state(client)
        assert now["waiting"] == UNSAVED and now["dropped"] == 2


def test_the_queue_has_an_end(place):
    with place.open() as client:
        every(client)
        place.send(client, place.good[:1])
        names = [row[1] for row in place.review._base.execute("PRAGMA table_info(parts)")][1:]
        columns = ", ".join(names)
        with place.review._writing():
            for _ in range(MOST_WAITING - 1):
                place.review._base.execute(
                    f"INSERT INTO parts ({columns}) SELECT {columns} FROM parts WHERE id = 1"
                )
        place.send(client, place.good[:2])
        now = state(client)
        assert now["waiting"] == MOST_WAITING and now["dropped"] == 2
        assert len(list((place.folder / "images").iterdir())) == 1


def test_a_folder_that_is_no_review_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot use"):
        Review(tmp_path / "file")
    (tmp_path / "review.sqlite").write_bytes(b"no data base, but long enough to be taken for one")
    with pytest.raises(InputError, match="cannot use"):
        Review(tmp_path)
    newer = tmp_path / "newer"
    newer.mkdir()
    with sqlite3.connect(newer / "review.sqlite") as base:
        base.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="newer version"):
        Review(newer)


def test_without_a_review_there_is_none(make_station):
    with TestClient(create_app(make_station()), "http://127.0.0.1") as client:
        assert client.get(URL).status_code == 404
