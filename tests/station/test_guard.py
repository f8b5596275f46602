import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from anomgan.cli.app import app as cli
from anomgan.cli.serve import named_models
from anomgan.errors import InputError, SettingsError
from anomgan.station.app import create_app
from anomgan.station.guard import is_this_machine

TOKEN = "correct horse battery"


@pytest.fixture(scope="module")
def here(make_station):
    """A station that this machine alone can reach."""
    with TestClient(create_app(make_station()), "http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
def far(make_station):
    """A station that other machines can reach."""
    with TestClient(create_app(make_station(), TOKEN), "http://station.factory:8000") as client:
        yield client


def test_programs_and_the_own_page_are_let_in(here, photograph):
    own = {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"}
    for headers in ({}, own):
        answer = here.post("/models/part/score", content=photograph, headers=headers)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]
    for host in ("localhost:8000", "[::1]:8000", "127.0.0.1"):
        assert here.get("/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://127.0.0.1:8000.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(here, photograph, headers):
    before = here.get("/models/part/parts").json()["counts"]
    answer = here.post("/models/part/score", content=photograph, headers=headers)
    assert answer.status_code == 403 and "another site" in answer.json()["error"]
    assert here.get("/models/part/parts").json()["counts"] == before
    assert here.options("/models/part/score", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8000", "localhost.evil.example"),
        *("10.0.0.1", "", "[", "127.0.0.1.evil.example"),
    ],
)
def test_a_name_that_was_made_to_lead_here_is_refused(here, host):
    for path in ("/", "/models", "/health"):
        answer = here.get(path, headers={"Host": host})
        assert answer.status_code == 403 and "127.0.0.1" in answer.json()["error"]


def test_no_answer_may_be_framed_or_load_from_elsewhere(here):
    policy = here.get("/").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert "http" not in policy and "unsafe" not in policy


def test_other_machines_need_the_token(far, photograph):
    url = "/models/part/score"
    wrong = [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Cookie": f"anomgan_station={TOKEN}"},
        {"Cookie": '=;;="anomgan_station'},
        {"Authorization": "Bearer \xff".encode("latin-1")},
    ]
    for headers in wrong:
        for answer in (
            far.post(url, content=photograph, headers=headers),
            far.get("/models", headers=headers),
            far.get("/metrics", headers=headers),
        ):
            assert answer.status_code == 401 and "token" in answer.json()["error"]
    right = {"Authorization": f"Bearer {TOKEN}"}
    assert far.post(url, content=photograph, headers=right).status_code == 200
    assert far.get("/").status_code == 200 and far.get("/health").status_code == 401


def test_a_browser_signs_in_with_the_token_and_gets_a_cookie(far):
    assert far.post("/session", json={"token": "wrong"}).status_code == 401
    assert far.post("/session", json={"other": TOKEN}).status_code == 422
    assert far.post("/session", content=bytes(2**20 + 1)).status_code == 413
    assert far.get("/models").status_code == 401
    answer = far.post("/session", json={"token": TOKEN})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and TOKEN not in cookie
    assert far.get("/models").status_code == 200
    assert (
        far.post("/models/part/score", headers={"Origin": "http://evil.example"}).status_code == 403
    )


def test_uploads_are_kept_only_where_asked(make_station, photograph, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TestClient(create_app(make_station()), "http://localhost") as client:
        client.post("/models/part/score", content=photograph)
        client.post("/models/part/score", files={"file": ("a.png", photograph * 30)})
    assert list(tmp_path.iterdir()) == []
    with TestClient(create_app(make_station(keep=tmp_path / "kept")), "http://localhost") as client:
        row = client.post("/models/part/score?name=../../a.png", content=photograph).json()
        client.post("/models/part/score", content=b"no image")
        (kept,) = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert kept.read_bytes() == photograph and kept.name.endswith(f"-{row['verdict']}.png")
        (tmp_path / "kept").rename(tmp_path / "away")
        (tmp_path / "kept").write_text("in the way")
        assert client.post("/models/part/score", content=photograph).status_code == 200
        assert "not kept" in client.get("/health").json()["problems"][0]


def test_what_is_this_machine():
    assert all(map(is_this_machine, ("localhost", "127.0.0.1", "127.1.2.3", "::1")))
    assert not any(map(is_this_machine, ("0.0.0.0", "::", "10.0.0.1", "example.com", "")))


@pytest.mark.parametrize(
    "options, error, text",
    [
        (["--host", "0.0.0.0"], SettingsError, "give a token as well"),
        (["--token", " "], SettingsError, "token must be"),
        (["--token", "a", "--token-file", "b"], SettingsError, "both given"),
        (["--token-file", "/nothing"], InputError, "cannot read the token"),
        (["--keep", __file__], InputError, "cannot write"),
        (["--host", "no.such.host.invalid", "--token", "a"], InputError, "cannot listen on"),
    ],
)
def test_unsafe_or_wrong_options_are_refused(patch_model, options, error, text):
    ran = CliRunner().invoke(cli, ["serve", "--model", str(patch_model), *options])
    assert isinstance(ran.exception, error) and text in str(ran.exception)


def test_models_have_the_name_of_their_folder_or_the_one_given(tmp_path):
    (tmp_path / "a=b").mkdir()
    given = [f"{tmp_path}/part/", f"x={tmp_path}/y"]
    assert named_models(given) == {"part": tmp_path / "part", "x": tmp_path / "y"}
    with pytest.raises(InputError, match="two models are called part"):
        named_models([f"{tmp_path}/part", f"part={tmp_path}/other"])
    with pytest.raises(InputError, match="'a=b' may have letters"):
        named_models([f"{tmp_path}/a=b"])
