import json

import pytest

from anomgan import GANomaly
from anomgan.data.folders import list_images
from anomgan.inspection.scoring import ScoreJob, run_score
from conftest import TINY


@pytest.fixture(scope="module")
def model(line, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "model"
    whole = TINY | {"view": {"kind": "whole", "size": 32}}
    GANomaly(device="cpu", **whole).fit(line / "train" / "good").save(folder)
    return folder


def test_images_that_are_scored_together_get_the_rows_they_get_alone(model, line, tmp_path):
    images = list_images(line / "test")
    (tmp_path / "bad.png").write_text("no image")
    images.insert(2, tmp_path / "bad.png")

    def rows(some):
        lines = []
        run_score(
            ScoreJob(some, None, model, None, tmp_path, False, False, True, "cpu"), lines.append
        )
        return [json.loads(line) for line in lines]

    together, alone = rows(images), [row for image in images for row in rows([image])]
    assert [row["image"] for row in together] == [str(image) for image in images]
    assert "is not an image" in together[2]["error"]
    for one, other in zip(together, alone, strict=True):
        if "error" in other:
            assert one == other
        else:
            assert one["score"] == pytest.approx(other["score"], rel=1e-4)
