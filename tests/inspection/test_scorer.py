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
