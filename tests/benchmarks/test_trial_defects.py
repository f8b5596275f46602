import numpy as np
import pytest
from PIL import Image
from trial_defects import FAINTEST, KINDS, paint, relight, write_trial

from anomgan.data.decode import read_image
from anomgan.data.flange import render_part
from anomgan.data.public_sets import read_folder, read_mask
from anomgan.errors import InputError, SettingsError

EVERY = pytest.mark.parametrize("kind", sorted(KINDS))


@pytest.fixture(scope="module")
def part():
    return render_part(3, size=160)[0]


@EVERY
@pytest.mark.parametrize("colour", [False, True])
def test_a_defect_is_seen_and_is_where_its_mask_says(kind, colour):
    image, _ = render_part(5, size=160, colour=colour)
    for seed in range(8):
        painted, mask = paint(image, kind, np.random.default_rng(seed))
        assert painted.shape == image.shape and painted.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255} and mask.mean() < 0.3 * 255
        change = np.abs(painted.astype(float) - image)
        change = change.mean(2) if colour else change
        assert change[mask > 0].mean() >= FAINTEST
        assert change[mask > 0].sum() > 0.75 * change.sum()


@EVERY
def test_the_seed_alone_decides(part, kind):
    first, again, other = (paint(part, kind, np.random.default_rng(seed))[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_defects_are_put_on_the_part_rather_than_beside_it():
    image = np.full((200, 200), 180, np.uint8)
    image[60:140, 60:140] = np.random.default_rng(0).integers(60, 200, (80, 80))
    inside = 0
    for seed in range(40):
        _, mask = paint(image, "pit", np.random.default_rng(seed))
        rows, columns = np.nonzero(mask)
        inside += 55 < rows.mean() < 145 and 55 < columns.mean() < 145
    assert inside > 25, "of 40; by area it would be 8"


def test_another_lamp_moves_every_level_and_changes_no_order(part):
    rng, means = np.random.default_rng(0), []
    for _ in range(40):
        seen = relight(part, rng)
        assert seen.dtype == np.uint8 and seen.shape == part.shape
        levels = [seen[part == level].mean() for level in np.unique(part)]
        assert (np.diff(levels) >= 0).all(), "what is lighter stays lighter"
        means.append(seen.mean() - part.mean())
    assert min(means) < -5 and max(means) > 5 and abs(np.mean(means)) < 5


def test_relit_trials_differ_in_light_alone(tmp_path):
    good = tmp_path / "good.png"
    Image.fromarray(render_part(0, size=96)[0]).save(good)
    for name, relit in (("plain", False), ("relit", True)):
        write_trial(tmp_path / name, [good], [good], relit=relit)
    for kind in ("good", "pit"):
        folders = (tmp_path / name / "test" / kind for name in ("plain", "relit"))
        plain, relit = (read_image(next(folder.iterdir())) for folder in folders)
        assert not np.array_equal(plain, relit)
        assert np.corrcoef(plain.ravel(), relit.ravel())[0, 1] > 0.98
    masks = [read_image(path) for path in sorted(tmp_path.glob("*/ground_truth/pit/*.png"))]
    assert len(masks) == 2 and np.array_equal(*masks)
    learnt = [read_image(path) for path in sorted(tmp_path.glob("*/train/good/*"))]
    assert len(learnt) == 2 and np.array_equal(*learnt)


def test_a_trial_is_a_data_set_like_any_other(part, tmp_path):
    goods = []
    for number in range(4):
        goods.append(tmp_path / f"{number}.png")
        Image.fromarray(render_part(number, size=96)[0]).save(goods[-1])
    write_trial(tmp_path / "trial", goods[:2], goods[2:], each=2)
    parts = read_folder(tmp_path / "trial")
    assert len(parts.normals) == 2
    kinds = [image.kind for image in parts.test]
    assert kinds.count("good") == 2 and all(kinds.count(kind) == 4 for kind in KINDS)
    for image in parts.test:
        pixels = read_image(image.source)
        mask = read_mask(image, pixels.shape)
        assert (mask is None) == (image.kind == "good")
        assert mask is None or mask.any()
    with pytest.raises(InputError, match="exists already"):
        write_trial(tmp_path / "trial", goods[:2], goods[2:])


def test_an_unknown_kind_is_refused(part):
    with pytest.raises(SettingsError, match="unknown trial defect hole; choose pit"):
        paint(part, "hole", np.random.default_rng(0))
