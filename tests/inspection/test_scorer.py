import shutil
from pathlib import Path

import pytest
import torch

from anomgan.data.folders import list_images
from anomgan.inspection.scorer import Pictures, Scorer


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_batches_side_by_side_give_the_rows_in_order(whole_model, line, tmp_path):
    images = list_images(line / "test")
    (tmp_path / "bad.png").write_text("no image")
    images.insert(3, tmp_path / "bad.png")
    scorer = Scorer(whole_model, "cpu", Pictures(tmp_path))
    expected = list(scorer.rows(images, Path))
    scorer.images_at_once = 2
    rows = list(scorer.rows(images, Path))
    assert [row["image"] for row in rows] == [str(image) for image in images]
    assert [row.get("error") for row in rows] == [row.get("error") for row in expected]
    scores, others = ([row["score"] for row in some if "score" in row] for some in (rows, expected))
    assert scores == pytest.approx(others, rel=1e-4)
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_who_takes_no_more_rows_leaves_the_threads_as_they_were(whole_model, line, tmp_path):
    scorer = Scorer(whole_model, "cpu", Pictures(tmp_path))
    scorer.images_at_once = 2
    rows = scorer.rows(list_images(line / "test"), Path)
    assert "score" in next(rows)
    rows.close()
    assert torch.get_num_threads() == 3


def test_images_with_the_longest_names_have_pictures_of_their_own(whole_model, line, tmp_path):
    source = list_images(line / "test")[0]
    names = ["p" * 240 + ".png", "ä" * 125 + "1.png", "ä" * 125 + "2.png"]
    images = [tmp_path / "parts" / name for name in names]
    images[0].parent.mkdir()
    for image in images:
        shutil.copy(source, image)
    scorer = Scorer(whole_model, "cpu", Pictures(tmp_path / "out", overlays=True, maps=True))
    rows = list(scorer.rows(images, lambda path: Path(path.name)))
    pictures = [Path(row["heatmap"]) for row in rows]
    assert len(set(pictures)) == 3 and all(path.is_file() for path in pictures)
    maps = [path.with_suffix(".npy") for path in pictures]
    assert {*pictures, *maps} == set((tmp_path / "out").iterdir())
