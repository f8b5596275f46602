import asyncio
import os

import numpy as np
import pytest

from anomgan.errors import InputError
from anomgan.pictures import save_grid
from anomgan.station.watched import WatchedFolder


def test_images_that_arrive_are_scored_once_when_they_are_complete(station, photograph, tmp_path):
    (tmp_path / "old.png").write_bytes(photograph)
    model = station.models["part"]
    watched = WatchedFolder(station, model, tmp_path)

    def names():
        return [part.row["image"] for part in model.parts.after(0)]

    async def steps():
        await watched.look()
        (tmp_path / "new.png").write_bytes(photograph[:100])
        await watched.look()
        (tmp_path / "new.png").write_bytes(photograph)
        await watched.look()
        assert names() == []
        await watched.look()
        await watched.look()
        assert names() == ["new.png"]
        (tmp_path / "sub").mkdir()
        (tmp_path / "sub" / "b.png").write_bytes(photograph)
        (tmp_path / "bad.png").write_text("no image")
        save_grid(tmp_path / "b.heatmap.png", [[np.zeros((8, 8), np.uint8)]], ["heatmap"])
        (tmp_path / "large.png").write_bytes(bytes(10**6 + 1))
        for _ in range(3):
            await watched.look()
        assert names() == ["new.png", "b.png"] and model.parts.counts["unreadable"] == 1
        tmp_path.rename(tmp_path.with_name("away"))
        await watched.look()
        assert "there is no folder" in watched.problem
        tmp_path.with_name("away").rename(tmp_path)
        await watched.look()
        assert watched.problem is None and len(names()) == 2

    asyncio.run(steps())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(station, photograph, tmp_path):
    watched = WatchedFolder(station, station.models["part"], tmp_path)
    before = station.models["part"].parts.counts["ok"]

    async def steps():
        os.mkfifo(tmp_path / "a.png")
        (tmp_path / "b.png").write_bytes(photograph)
        for _ in range(2):
            await watched.look()

    asyncio.run(steps())
    assert station.models["part"].parts.counts["ok"] == before + 1


def test_a_folder_that_is_not_there_is_refused(station, tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        WatchedFolder(station, station.models["part"], tmp_path / "gone")
