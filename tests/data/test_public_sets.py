import csv

import cv2
import numpy as np
import pytest

from anomgan.data.public_sets import (
    MVTEC,
    categories,
    read_btad,
    read_digit,
    read_folder,
    read_mask,
    read_mvtec,
    read_pair,
    read_test,
    read_visa,
)
from anomgan.errors import InputError


def write(path, value=90, size=(10, 12)):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(size, value, np.uint8))


@pytest.fixture
def mvtec(tmp_path):
    root = tmp_path / "mvtec_ad"
    folder = root / "part"
    for name in ("000", "001", "002"):
        write(folder / "train" / "good" / f"{name}.png")
    for name in ("000", "001"):
        write(folder / "test" / "good" / f"{name}.png")
        for kind in ("hole", "crack"):
            write(folder / "test" / kind / f"{name}.png")
            write(folder / "ground_truth" / kind / f"{name}_mask.png", 255)
    return root


def test_mvtec_as_downloaded(mvtec):
    assert categories(mvtec, "mvtec") == ["part"]
    parts = read_mvtec(mvtec, "part")
    assert len(parts.normals) == 3
    kinds = [image.kind for image in parts.test]
    assert kinds == ["good", "good", "crack", "crack", "hole", "hole"]
    last = parts.test[-1]
    assert last.is_anomalous and not parts.test[0].is_anomalous
    assert last.mask == mvtec / "part" / "ground_truth" / "hole" / "001_mask.png"
    assert read_mask(last, (10, 12)).all() and read_mask(parts.test[0], (10, 12)) is None
    with pytest.raises(
        InputError, match="001_mask.png is 12 x 10 pixels, but its image .* is 20 x 10"
    ):
        read_mask(last, (10, 20))


def test_a_category_of_mvtec_that_is_not_whole_is_refused(mvtec):
    (mvtec / "part").rename(mvtec / "screw")
    assert MVTEC["screw"] == (320, 160)
    with pytest.raises(InputError, match="screw is incomplete: 3 training and 6 test .*mvtec"):
        read_mvtec(mvtec, "screw")
    assert len(read_folder(mvtec / "screw").normals) == 3


def test_mvtec_s_own_counts_add_up():
    assert sum(train for train, _ in MVTEC.values()) == 3629
    assert sum(test for _, test in MVTEC.values()) == 1725


def test_masks_are_all_there_or_none_is(mvtec):
    folder = mvtec / "part"
    (folder / "ground_truth" / "hole" / "000_mask.png").unlink()
    with pytest.raises(InputError, match="1 of 4 defective images have no mask, such as .*000"):
        read_test(folder)
    for mask in (folder / "ground_truth").rglob("*.png"):
        mask.unlink()
    assert all(image.mask is None for image in read_test(folder))


def test_folders_that_are_missing_are_named(mvtec, tmp_path):
    with pytest.raises(InputError, match="lacks train/good and test/good$"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="there is no folder .*gone"):
        read_test(tmp_path / "gone")
    with pytest.raises(InputError, match="no category in this layout .*Data/Images.*spot-diff"):
        categories(mvtec, "visa")
    write(tmp_path / "x" / "test" / "good" / "0.png")
    with pytest.raises(InputError, match="no folder of defects"):
        read_test(tmp_path / "x")


def test_visa_as_downloaded(tmp_path):
    rows = []
    for n, (split, label) in enumerate(
        [("train", "normal"), ("train", "normal"), ("test", "normal"), ("test", "anomaly")]
    ):
        place = "Normal" if label == "normal" else "Anomaly"
        image = f"candle/Data/Images/{place}/{n:04}.JPG"
        mask = f"candle/Data/Masks/Anomaly/{n:04}.png" if label == "anomaly" else ""
        write(tmp_path / image)
        if mask:
            write(tmp_path / mask, 3)  # VisA's masks hold class numbers, not 255
        rows.append(("candle", split, label, image, mask))
    table = tmp_path / "split_csv" / "1cls.csv"
    with pytest.raises(InputError, match="there is no .*1cls.csv; get VisA"):
        read_visa(tmp_path, "candle")
    table.parent.mkdir()
    table.write_text("image,label\n")
    with pytest.raises(InputError, match="1cls.csv needs the columns object, split, label"):
        read_visa(tmp_path, "candle")
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("object", "split", "label", "image", "mask"), *rows])
    assert categories(tmp_path, "visa") == ["candle"]
    parts = read_visa(tmp_path, "candle")
    assert len(parts.normals) == 2
    assert [image.kind for image in parts.test] == ["good", "anomaly"]
    assert read_mask(parts.test[1], (10, 12)).all()
    with pytest.raises(InputError, match="no object pcb1"):
        read_visa(tmp_path, "pcb1")
    (tmp_path / rows[0][3]).unlink()
    with pytest.raises(InputError, match="1 of 4 images of candle are missing"):
        read_visa(tmp_path, "candle")


def test_btad_as_downloaded(tmp_path):
    for place in ("train/ok/0000.bmp", "train/ok/0001.bmp", "test/ok/0000.bmp", "test/ko/0000.bmp"):
        write(tmp_path / "01" / place)
    write(tmp_path / "01" / "ground_truth" / "ko" / "0000.png", 255)
    assert categories(tmp_path, "btad") == ["01"]
    parts = read_btad(tmp_path, "01")
    assert len(parts.normals) == 2
    assert [(i.kind, i.mask is None) for i in parts.test] == [("good", True), ("ko", False)]


def test_two_folders_of_one_s_own(tmp_path):
    write(tmp_path / "ok" / "a.png")
    write(tmp_path / "bad" / "b.png")
    write(tmp_path / "bad" / "dent" / "c.png")
    images = read_pair(tmp_path / "ok", tmp_path / "bad")
    assert [image.kind for image in images] == ["good", "defect", "dent"]
    write(tmp_path / "masks" / "b.png", 255)
    write(tmp_path / "masks" / "dent" / "c_mask.png", 255)
    masks = [
        image.mask for image in read_pair(tmp_path / "ok", tmp_path / "bad", tmp_path / "masks")
    ]
    assert [mask and mask.name for mask in masks] == [None, "b.png", "c_mask.png"]
    with pytest.raises(InputError, match="but no mask of an image"):
        read_pair(tmp_path / "ok", tmp_path / "bad", tmp_path / "ok")
    with pytest.raises(InputError, match="a.png lies in .*ok, too"):
        read_pair(tmp_path / "ok", tmp_path)


def test_digits_are_split_by_protocol(real_data):
    root = real_data("mnist")
    normal = read_digit(root, 3, "one-class")
    odd = read_digit(root, 3, "leave-one-out", per_digit=20)
    assert len(normal.normals) + len(odd.normals) == 60_000
    assert len(normal.test) == 10_000 and len(odd.test) == 200
    assert sum(image.is_anomalous for image in normal.test) == 10_000 - 1010
    assert {image.kind for image in odd.test if image.is_anomalous} == {"digit 3"}
    assert sum(image.is_anomalous for image in odd.test) == 20
