import base64
import io
import json
import shutil
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import SIGNATURE, chunk, header
from PIL import Image
from typer.testing import CliRunner

from anomgan import load
from anomgan.cli.app import app as cli
from anomgan.data.folders import list_images
from anomgan.station.app import create_app

MOST = 2_000_000


@pytest.fixture(scope="module")
def station(make_station):
    return make_station(most=MOST)


@pytest.fixture(scope="module")
def client(station):
    with TestClient(create_app(station), "http://127.0.0.1") as client:
        yield client


@pytest.fixture(scope="module")
def photograph(line, patch_model):
    """A part that the model calls anomalous."""
    results = load(patch_model, "cpu").score(list_images(line / "test"))
    return Path(max(results, key=lambda result: result.score).image)


def score(client, data, **query):
    return client.post("/models/part/score", content=data, params=query)


def error(answer):
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]


def test_a_score_is_that_of_the_command_line_to_the_last_digit(client, patch_model, line):
    for path in list_images(line / "test")[::5]:
        ran = CliRunner().invoke(
            cli, ["score", "--json", "--model", str(patch_model), "--image", str(path)]
        )
        said = json.loads(ran.stdout)
        raw = score(client, path.read_bytes(), name=path.name)
        form = client.post("/models/part/score", files={"file": (path.name, path.read_bytes())})
        for answer in (raw, form):
            row = answer.json()
            assert list(row) == list(said)
            assert row.pop("image") == path.name and row.pop("milliseconds") > 0
            assert row == {key: said[key] for key in row}


def test_the_heatmap_is_as_large_as_the_image_and_warm_where_the_regions_are(client, photograph):
    row = score(client, photograph.read_bytes(), heatmap=1).json()
    layer = np.array(Image.open(io.BytesIO(base64.b64decode(row["heatmap_png"]))))
    assert layer.shape == (96, 96, 4) and row["verdict"] == "anomalous"
    box = row["regions"][0]
    inside = layer[box["y"] : box["y"] + box["height"], box["x"] : box["x"] + box["width"], 3]
    assert inside.max() == 255 and inside.mean() > layer[:, :, 3].mean()


def test_what_is_no_usable_image_is_refused_in_words(client, photograph):
    whole = io.BytesIO()
    Image.open(photograph).save(whole, "JPEG")
    cut = whole.getvalue()[: len(whole.getvalue()) // 2]
    body = chunk(b"IDAT", zlib.compress(bytes(1_000_000))) + chunk(b"IEND", b"")
    huge = SIGNATURE + header(60_000, 60_000, 8, 0) + body
    for data, status, text in [
        (b"", 422, "part.png is empty"),
        (b"no image", 422, "part.png is not an image that can be read"),
        (cut, 422, "part.png is damaged or truncated"),
        (huge, 422, "part.png claims"),
        (bytes(MOST + 1), 413, "more than the 2 MB accepted"),
        (bytes(100_000_000), 413, "more than the 2 MB accepted"),
    ]:
        answer = score(client, data, name="part.png")
        assert answer.status_code == status and text in error(answer)
    assert client.get("/models/part/parts").json()["counts"]["unreadable"] >= 4


def test_a_form_holds_one_file(client, photograph):
    data = photograph.read_bytes()
    url = "/models/part/score"
    two = client.post(url, files=[("a", ("a.png", data)), ("b", ("b.png", data))])
    assert two.status_code == 400 and "2 files" in error(two)
    none = client.post(url, data={"a": "b"}, headers={"content-type": "multipart/form-data"})
    assert none.status_code == 400 and "form cannot be read" in error(none)


@pytest.mark.parametrize("name", ["../../etc/passwd", "C:\\x\\..\\passwd", "/etc/passwd"])
def test_a_name_is_only_a_name(client, photograph, name):
    data = photograph.read_bytes()
    assert score(client, data, name=name).json()["image"] == "passwd"
    form = client.post("/models/part/score", files={"file": (name, data)})
    assert form.json()["image"] == "passwd"
    assert score(client, data, name="..").json()["image"] == "upload"


def test_unknown_addresses_and_values_are_errors_of_the_client(client):
    assert "there is: part" in error(client.post("/models/other/score", content=b"x"))
    assert client.get("/nothing").status_code == 404 and error(client.get("/nothing"))
    assert client.get("/models/part/score").status_code == 405
    wrong = client.post("/models/part/score?heatmap=perhaps", content=b"x")
    assert wrong.status_code == 422 and "heatmap" in error(wrong)
    assert client.get("/models/part/parts/999/photo").status_code == 404


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_upload_is_scored_or_refused(client, photograph, data):
    content = bytearray(photograph.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    answer = score(client, bytes(content))
    assert answer.status_code in (200, 422)
    assert answer.status_code == 200 or error(answer)


def test_the_last_parts_are_kept_with_pictures_and_counts(client, photograph):
    number = int(score(client, photograph.read_bytes(), name="a.png").headers["X-Part"])
    state = client.get("/models/part/parts", params={"after": number - 1}).json()
    (part,) = state["parts"]
    assert part["number"] == number and part["result"]["image"] == "a.png"
    assert (part["width"], part["height"]) == (96, 96)
    assert state["drift"]["state"] in ("steady", "drifting", "out of calibration")
    for name in ("photo", "thumbnail", "heat"):
        picture = client.get(f"/models/part/parts/{number}/{name}")
        assert Image.open(io.BytesIO(picture.content)).size == (96, 96)
    for _ in range(51):
        score(client, photograph.read_bytes())
    state = client.get("/models/part/parts").json()
    assert len(state["parts"]) == 50 and state["counts"]["anomalous"] >= 52
    assert client.get(f"/models/part/parts/{number}/photo").status_code == 404


def test_state_and_figures_can_be_asked_for(client, patch_model):
    health = client.get("/health").json()
    assert health == {"status": "ok", "models": ["part"], "waiting": 0, "problems": []}
    (model,) = client.get("/models").json()
    assert model["name"] == "part" and model["model"] == str(patch_model)
    figures = client.get("/metrics")
    assert figures.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in figures.text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) is not None
    assert 'anomgan_images_total{model="part",verdict="ok"}' in figures.text


def test_the_service_describes_itself_without_another_host(client, photograph):
    page = client.get("/docs").text
    assert "http://" not in page.replace("curl --data-binary @part.png 'http://", "")
    assert "https://" not in page + client.get("/page/docs.js").text
    about = client.get("/openapi.json").json()
    assert {"/models/{name}/score", "/health", "/models", "/metrics"} <= set(about["paths"])
    row = score(client, photograph.read_bytes(), heatmap=1).json()
    assert set(row) == set(about["components"]["schemas"]["Score"]["properties"])


def test_a_full_queue_says_when_to_come_again(make_station, photograph):
    station = make_station(places=1)
    with TestClient(create_app(station), "http://127.0.0.1") as client:
        with station.place():
            answer = score(client, photograph.read_bytes())
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert "queue is full" in error(answer)
        assert score(client, photograph.read_bytes()).status_code == 200
        assert "anomgan_turned_away_total 1" in client.get("/metrics").text


def test_many_clients_get_their_own_answers(make_station, line):
    images = [path.read_bytes() for path in list_images(line / "test")]
    station = make_station(places=8)
    with TestClient(create_app(station), "http://127.0.0.1") as client:
        alone = [score(client, image).json()["score"] for image in images]
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda image: score(client, image).json(), images * 4))
    assert [answer["score"] for answer in answers] == alone * 4


def test_a_model_that_is_replaced_serves_until_the_new_one_has_loaded(
    make_station, patch_model, whole_model, photograph, tmp_path
):
    folder = tmp_path / "model"
    shutil.copytree(patch_model, folder)
    station = make_station(folder)
    model = station.models["part"]

    def answered():
        return score(client, photograph.read_bytes()).json()

    with TestClient(create_app(station), "http://127.0.0.1") as client:
        before = answered()
        folder.rename(tmp_path / "away")
        model.refresh()
        assert answered()["score"] == before["score"], "while there is none"
        shutil.copytree(whole_model, folder)
        weights = folder / "weights.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(b"half of a slow copy")
        model.refresh()
        model.refresh()
        assert answered()["model_id"] == before["model_id"]
        problem = client.get("/health").json()
        assert problem["status"] == "degraded" and "is damaged" in problem["problems"][0]
        weights.write_bytes(whole)
        model.refresh()
        model.refresh()
        after = answered()
        assert after["model_id"] != before["model_id"] and after["score"] != before["score"]
        assert client.get("/health").json()["status"] == "ok"
