import json

import numpy as np
import pytest
from PIL import Image

from anomgan.data.encode import write_png
from anomgan.data.folders import list_images
from anomgan.data.own_files import (
    JSON,
    MARKDOWN,
    SCORES,
    is_own_file,
    is_own_picture,
    refuse_to_overwrite,
)
from anomgan.errors import InputError
from anomgan.evaluation.page import page
from anomgan.pictures import save_grid


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3)])
def test_a_generated_image_is_marked_and_whole_and_may_be_learnt_from(tmp_path, rng, shape):
    image = rng.integers(0, 256, shape, np.uint8)
    for _ in range(2):  # the second replaces the first
        write_png(tmp_path / "part.png", image)
    read = Image.open(tmp_path / "part.png")
    assert (np.array(read) == image).all() and read.text == {"Source": "anomgan"}
    assert list_images(tmp_path) == [tmp_path / "part.png"]


def test_each_kind_of_picture_replaces_its_own_kind_only(tmp_path):
    image, path = np.zeros((8, 8), np.uint8), tmp_path / "part.png"
    write_png(path, image)
    with pytest.raises(InputError, match="part.png exists, and anomgan did not write it"):
        save_grid(path, [[image]], ["a"])
    path.unlink()
    save_grid(path, [[image]], ["a"])
    save_grid(path, [[image]], ["b"])
    assert is_own_picture(path)
    with pytest.raises(InputError, match="did not write it"):
        write_png(path, image)


@pytest.mark.parametrize(
    "text",
    [page("Title", ["<p>Text</p>"]), json.dumps(JSON | {"a": 1}), MARKDOWN, ",".join(SCORES)],
)
def test_reports_say_who_wrote_them(tmp_path, text):
    path = tmp_path / "report"
    path.write_text(text)
    assert is_own_file(path)
    refuse_to_overwrite(path)


def test_an_empty_file_and_a_missing_one_are_nothing_to_lose(tmp_path):
    (tmp_path / "empty").touch()
    refuse_to_overwrite(tmp_path / "empty", tmp_path / "missing")
    (tmp_path / "notes.txt").write_text("see anomgan")
    with pytest.raises(InputError, match="notes.txt exists"):
        refuse_to_overwrite(tmp_path / "missing", tmp_path / "notes.txt")
