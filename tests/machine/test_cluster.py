import json
import os
import signal

import pytest
import typer

from anomgan import load
from anomgan.cli.score import score
from anomgan.data.folders import list_images
from anomgan.errors import InputError
from anomgan.machine.cluster import spread

ray = pytest.importorskip("ray", reason='ray is not installed: pip install "anomgan[ray]"')


@pytest.fixture(scope="module", autouse=True)
def _two_workers():
    ray.init(num_cpus=2, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    yield
    ray.shutdown()


def test_a_cluster_gives_the_lines_of_one_process(patch_model, line, tmp_path, capsys):
    images = list_images(line / "test")
    (tmp_path / "bad.png").write_text("no image")
    images.insert(2, tmp_path / "bad.png")

    def rows(address):
        maps = {"save_map": True, "heatmap_dir": tmp_path / str(address)}
        with pytest.raises(typer.Exit):  # one image cannot be read
            score(images, model=patch_model, json=True, device="cpu", ray=address, **maps)
        found = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
        for row in found:
            row.pop("milliseconds", None)
        return found

    here, there = rows(None), rows("local")
    assert here == there and [row["image"] for row in there] == [str(path) for path in images]
    maps = [
        sorted(path.name for path in (tmp_path / folder).rglob("*.npy"))
        for folder in ("None", "local")
    ]
    assert maps[0] == maps[1] and len(maps[0]) == len(images) - 1


def test_what_a_killed_worker_had_is_done_by_another(patch_model, line, tmp_path):
    images = list_images(line / "test")[:6]
    killed = tmp_path / "killed"

    def work(path):
        if path == images[4] or (path == images[2] and not killed.exists()):
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return path, load(patch_model, "cpu").score(path).score

    found = list(
        spread("local", work, images, lambda path: (path, None), device="cpu", ordered=True)
    )
    assert killed.exists()
    alone = load(patch_model, "cpu")
    expected = [(path, alone.score(path).score) for path in images]
    expected[4] = images[4], None
    assert found == expected


def test_what_is_wrong_with_an_item_is_said_as_it_is_said_here():
    def work(item):
        raise InputError(f"{item} is no part")

    with pytest.raises(InputError, match="^3 is no part$"):
        list(spread("local", work, [3], str, device="cpu", ordered=True))
