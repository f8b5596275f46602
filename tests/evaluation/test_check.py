import random
import shutil

import cv2
import numpy as np
import pytest
from PIL import Image

from anomgan.data.copies import find_copies
from anomgan.data.folders import list_images
from anomgan.errors import InputError
from anomgan.evaluation.check import check_folder, glance
from anomgan.evaluation.check.facts import Facts, blockiness, in_order
from anomgan.evaluation.check.plain import plain_findings
from anomgan.evaluation.check.unlike import Unlike

SIDE = 128


def part(rng, x=0, light=1.0):
    """A bright plate with holes on a dark ground, and noise of a camera."""
    image = np.full((SIDE, SIDE), 60, np.uint8)
    cv2.rectangle(image, (30 + x, 30), (98 + x, 98), 150, -1)
    for corner in ((45, 45), (83, 45), (45, 83), (83, 83)):
        cv2.circle(image, (corner[0] + x, corner[1]), 6, 20, -1)
    noisy = (image + rng.normal(0, 4, image.shape)) * light + rng.normal(0, 1.5)
    return np.clip(noisy, 0, 255).astype(np.uint8)


@pytest.fixture
def parts(rng):
    return [part(rng) for _ in range(24)]


def found(images):
    """Kinds of findings, and the positions of the images that they name."""
    facts = [Facts.measure(f"{n:03}", image, 8) for n, image in enumerate(images)]
    firsts = find_copies(np.array([one.thumbnail for one in facts]))
    return {one.kind: [int(name) for name in one.images] for one in plain_findings(facts, firsts)}


def write(folder, images):
    folder.mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03}.png")
    return folder


def test_nothing_stands_out_among_like_photographs(parts):
    assert found(parts) == {}


def test_a_blurred_photograph_is_named(parts):
    parts[7] = cv2.GaussianBlur(parts[7], (0, 0), 2)
    assert found(parts)["blur"] == [7]


def test_clipped_photographs_are_named_worst_first(parts):
    parts[3], parts[5] = parts[3].copy(), parts[5].copy()
    parts[3][:20] = 255
    parts[5][:40] = 255
    parts[8] = np.where(parts[8] < 65, 0, parts[8]).astype(np.uint8)
    kinds = found(parts)
    assert kinds["clipped-white"] == [5, 3]
    assert kinds["clipped-black"] == [8]


def test_a_jump_of_the_exposure_is_found_where_it_is(rng):
    images = [part(rng, light=1.0 if n < 10 else 1.3) for n in range(24)]
    assert found(images)["drift"] == [10]


def test_a_slow_drift_is_no_jump(rng):
    images = [part(rng, light=1.0 + 0.02 * n) for n in range(24)]
    assert found(images)["drift"] == []


def test_a_copy_that_was_made_brighter_is_named(parts):
    assert found([*parts, np.minimum(parts[4], 252) + 3])["copies"] == [24]


def test_mixed_sizes_depths_and_colours_are_told(parts):
    parts[1] = parts[1][:100]
    parts[2] = parts[2].astype(np.uint16)
    parts[3] = np.dstack([parts[3], parts[3], parts[3] // 2])
    kinds = found(parts)
    assert (kinds["size"], kinds["depth"], kinds["colour"]) == ([1], [2], [3])


def test_a_part_in_another_place_is_named(rng, parts):
    parts[6] = part(rng, x=12)
    facts = [Facts.measure(f"{n:03}", image, 8) for n, image in enumerate(parts)]
    (shift,) = (one for one in plain_findings(facts) if one.kind == "shift")
    assert shift.images == {"006": "moved 9% to the right"}


def test_nothing_is_said_of_places_where_parts_lie_in_any_direction(rng):
    images = []
    for image in (part(rng, x=12) for _ in range(24)):
        turn = cv2.getRotationMatrix2D((64, 64), rng.uniform(0, 360), 1)
        images.append(cv2.warpAffine(image, turn, (SIDE, SIDE), borderValue=60))
        images[-1] = np.roll(images[-1], rng.integers(-25, 25, 2), (0, 1))
    assert "shift" not in found(images)


def test_strong_compression_is_told_and_weak_is_not(parts):
    def ratio(quality):
        _, data = cv2.imencode(".jpg", parts[0], [cv2.IMWRITE_JPEG_QUALITY, quality])
        return blockiness(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE))

    assert blockiness(parts[0]) < 1.2 and ratio(95) < 1.2
    assert ratio(10) > 1.3


def test_photographs_without_time_are_ordered_by_the_numbers_in_their_names():
    assert in_order(["b/10.png", "b/9.png", "a/11.png"]) == [2, 1, 0]


def test_the_time_of_the_camera_comes_before_names(tmp_path, parts):
    names = []
    for number, image in enumerate(parts[:3]):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:01:01 10:00:{30 - number}"
        names.append(str(tmp_path / f"{number}.jpg"))
        Image.fromarray(image).save(names[-1], exif=exif)
    assert in_order(names) == [2, 1, 0]


def test_a_part_unlike_the_rest_is_named_and_copies_do_not_hide_it(tmp_path, rng):
    images = [part(rng) for _ in range(40)]
    cv2.line(images[11], (40, 60), (90, 70), 255, 3)
    images.append(images[11])
    check = check_folder(write(tmp_path / "ok", images), "cpu")
    (unlike,) = (one for one in check.findings if one.kind == "unlike")
    numbers = [name[-7:-4] for name in unlike.images]
    assert numbers[:2] == ["011", "040"]
    assert len(numbers) <= 4, "noise may name one or two more of 40"
    assert set(unlike.images) <= set(check.may_go())
    assert unlike.images.keys().isdisjoint(check.usual(5))


def test_the_fall_of_the_error_is_that_of_its_geometric_mean():
    scores = np.array([1.0, 4.0])
    assert Unlike(scores, 2 * scores, 8 * scores).falls() == pytest.approx((0.75, 0.5))
    assert Unlike(scores, None, None).falls() is None


def test_few_photographs_get_plain_facts_only(tmp_path, parts):
    check = check_folder(write(tmp_path / "ok", parts[:5]), "cpu")
    assert len(check.facts) == 5 and check.unlike is None
    assert "5 images" in check.advice


@pytest.mark.parametrize("image", [np.full((40, 40), 128, np.uint8), "copies"])
def test_photographs_without_anything_to_learn_are_told(tmp_path, parts, image):
    same = parts[0] if isinstance(image, str) else image
    check = check_folder(write(tmp_path / "ok", [same] * 12), "cpu")
    assert check.unlike is None and "nothing to learn" in check.advice


def test_unreadable_files_are_listed_and_the_rest_is_checked(tmp_path, parts):
    folder = write(tmp_path / "ok", parts[:9])
    (folder / "bad.png").write_bytes(b"no image")
    check = check_folder(folder, "cpu")
    assert check.findings[0].kind == "unreadable"
    assert list(check.findings[0].images) == [str(folder / "bad.png")]
    assert check.unlike is not None and np.isfinite(check.unlike.deviations()).all()


def test_only_unreadable_files_are_an_error(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="none of the 1 images"):
        check_folder(tmp_path, "cpu")


def test_a_glance_leaves_unreadable_files_to_the_fit(tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert glance(list_images(tmp_path)) == (0, [])


def test_lines_of_one_pixel_are_checked(tmp_path, rng):
    images = [rng.integers(0, 255, (1, 5000), dtype=np.uint8) for _ in range(9)]
    check = check_folder(write(tmp_path / "ok", images), "cpu")
    assert check.unlike is not None and np.isfinite(check.unlike.scores).all()


def test_a_glance_sees_what_is_plain(tmp_path, parts):
    parts[7] = cv2.GaussianBlur(parts[7], (0, 0), 2)
    count, findings = glance(list_images(write(tmp_path / "ok", parts)))
    assert count == 24 and [one.kind for one in findings] == ["blur"]


def test_real_defects_among_good_parts_score_high_and_good_parts_are_not_named(tmp_path, real_data):
    root = real_data("screw")
    good = sorted((root / "train" / "good").glob("*.jpg"))[:150]
    bad = sorted(path for path in (root / "test").glob("*/*.jpg") if path.parent.name != "good")
    for path in good:
        shutil.copy(path, tmp_path / f"good_{path.name}")
    for path in random.Random(0).sample(bad, 8):
        shutil.copy(path, tmp_path / f"bad_{path.parent.name}_{path.name}")
    check = check_folder(tmp_path, "cpu")
    assert check.unlike is not None
    first = np.argsort(-check.unlike.scores)[:8]
    assert sum("bad_" in check.facts[place].name for place in first) >= 3
    named = [name for name in check.may_go() if "good_" in name]
    assert len(named) <= 1


def test_images_of_a_group_are_no_copies_and_count_as_one(tmp_path, rng, parts):
    """Ten parts, each photographed three times; one of them again under another name."""
    images = [image for one in parts[:10] for image in (one, np.minimum(one, 252) + 3, one.copy())]
    folder = write(tmp_path / "ok", [*images, parts[0]])
    (folder / "broken.png").write_bytes(b"no image")
    names = [f"{number:03}.png" for number in range(31)] + ["broken.png"]
    table = tmp_path / "parts.csv"
    rows = [f"{name},{number // 3}" for number, name in enumerate(names)]
    table.write_text("\n".join(["file,group", *rows]))
    check = check_folder(folder, "cpu", table)
    (copies,) = [one for one in check.findings if one.kind == "copies"]
    assert list(copies.images) == [str(folder / "030.png")]
    assert check.unlike is not None and "10 groups are few" in check.advice
    assert "images are few" in check_folder(folder, "cpu").advice
    table.write_text("\n".join(["file,group", *rows[:20]]))
    with pytest.raises(InputError, match="names no group for 12 of 32 images"):
        check_folder(folder, "cpu", table)
