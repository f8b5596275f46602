import json
import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from anomgan.data.folders import list_images
from anomgan.data.roi import Roi
from anomgan.detectors import load
from anomgan.errors import InputError
from anomgan.evaluation.limits import Bench, Limits, run_trials, write_limits
from anomgan.evaluation.limits.defects import AT_OUTLINE, BLURRED, HOLES, KINDS, NATURAL, draw
from anomgan.evaluation.limits.frame import Frame
from anomgan.evaluation.limits.part import dilated, find_part, on_background
from anomgan.evaluation.limits.trials import TRIALS, Trial


@pytest.fixture
def surface(rng):
    """A grey surface with some grain."""
    return np.clip(rng.normal(120, 4, (200, 240)), 0, 255).astype(np.uint8)


@pytest.fixture
def bench(patch_model, line):
    folder = line / "train" / "good"
    return Bench.prepare(load(patch_model, "cpu"), list_images(folder), folder, None)


def bolt(turn, colour=60):
    """A bright image of a dark T-shaped part, turned by some degrees, and its mask."""
    part = np.zeros((200, 200), np.uint8)
    part[90:110, 40:160], part[70:130, 40:60] = 1, 1
    part = cv2.warpAffine(part, cv2.getRotationMatrix2D((100, 100), turn, 1), (200, 200))
    image = np.where(part > 0, colour, 200) + np.random.default_rng(0).normal(0, 2, part.shape)
    return image.astype(np.uint8), part > 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("size", "contrast"), [(8, 0.3), (40, 0.1)])
def test_a_defect_has_the_size_and_contrast_that_were_asked_for(kind, size, contrast, surface):
    whole = np.ones(surface.shape, bool)
    for seed in range(4):
        defect = draw(surface, whole, kind, size, contrast, np.random.default_rng(seed))
        changed = np.argwhere(defect.image != surface)
        assert np.ptp(changed, axis=0).max() <= 1.5 * size + 6
        assert defect.size <= 1.3 * size + 3
        if kind not in NATURAL:
            assert defect.contrast == pytest.approx(contrast, rel=0.1)
        assert defect.mask.any() and (defect.image != surface)[defect.mask].all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_beside_the_part(kind, surface):
    part = np.zeros(surface.shape, bool)
    part[80:100, 50:200] = True
    colour = np.dstack([surface, surface // 2, surface])
    defect = draw(colour, part, kind, 40, 0.3, np.random.default_rng(3), (colour, part))
    free = ~dilated(part, BLURRED) if kind in AT_OUTLINE else ~part
    assert (defect.image == colour)[free].all() and not (defect.mask & free).any()


def test_pieces_break_off_from_the_outline_and_leave_the_background_that_is_near():
    part = bolt(0)[1]
    beside = ~dilated(part, BLURRED)
    backdrop = 100 + np.arange(200) // 2  # brighter from left to right
    image = np.where(part, 30, backdrop).astype(np.uint8)
    for seed in range(20):
        defect = draw(image, part, "missing", 16, 0.1, np.random.default_rng(seed))
        assert (dilated(defect.mask, BLURRED + 1) & beside).any()
        shown = np.quantile(defect.image[defect.mask & part], 0.8)  # its outline is soft
        assert shown == pytest.approx(backdrop[round(defect.centre[1])], abs=10)


def test_pieces_that_break_off_lie_along_the_outline():
    part = np.zeros((200, 200), bool)
    part[60:140] = True
    image = np.where(part, 60, 200).astype(np.uint8)
    drawn = [draw(image, part, "missing", 40, 0.1, np.random.default_rng(n)) for n in range(12)]
    rows, columns = np.mean([np.ptp(np.argwhere(one.mask), axis=0) for one in drawn], axis=0)
    assert columns > 3 * rows  # 1.9 times if they lay at random


def test_pieces_break_off_from_the_edge_of_an_image_that_the_part_fills(surface):
    whole = np.ones(surface.shape, bool)
    middle = np.zeros(surface.shape, bool)
    middle[24:-24, 24:-24] = True
    for seed in range(12):
        defect = draw(surface, whole, "missing", 30, 0.1, np.random.default_rng(seed))
        assert not (defect.mask & middle).any()


def test_foreign_material_has_the_texture_of_a_part_and_not_of_its_background(surface):
    whole = np.ones(surface.shape, bool)
    plain = np.full((200, 200), 200, np.uint8)
    part = np.zeros(plain.shape, bool)
    part[90:130, 90:130] = True
    plain[part] = np.indices((40, 40)).sum(axis=0).ravel() % 2 * 100
    defect = draw(surface, whole, "foreign", 24, 0.3, np.random.default_rng(0), (plain, part))
    columns = np.abs(np.diff(defect.image.astype(int), axis=1))
    assert columns[defect.mask[:, 1:] & defect.mask[:, :-1]].mean() > 40


@pytest.mark.parametrize("kind", HOLES)
def test_holes_are_dark(kind, surface):
    whole = np.ones(surface.shape, bool)
    for seed in range(8):
        defect = draw(surface, whole, kind, 20, 0.2, np.random.default_rng(seed))
        assert defect.image[defect.mask].mean() < surface[defect.mask].mean() - 20
        shade = surface // 4  # darker than the contrast that is asked for
        assert (draw(shade, whole, kind, 20, 0.2, np.random.default_rng(seed)).image <= shade).all()


def test_the_same_random_numbers_draw_the_same_defect(surface):
    whole = np.ones(surface.shape, bool)
    one, other = (draw(surface, whole, "crack", 30, 0.2, np.random.default_rng(5)) for _ in "ab")
    assert (one.image == other.image).all() and one.size == other.size


def test_a_part_on_a_plain_background_is_found_without_its_shadow():
    image, part = bolt(30)
    shadow = cv2.GaussianBlur(np.roll(part, (8, 8), (0, 1)).astype(np.float32), (0, 0), 6)
    shaded = np.where(part, image, image - 50 * shadow).astype(np.uint8)
    for given in (image, shaded, np.dstack([shaded] * 3)):
        found = find_part(given)
        assert (found & part).sum() / (found | part).sum() > 0.9


def test_a_surface_that_fills_the_image_is_the_part_as_a_whole(surface):
    constant = np.full((64, 64), 90, np.uint8)
    assert find_part(surface) is None and find_part(constant) is None
    assert not on_background([bolt(0)[0], surface])


def test_a_place_on_a_long_part_is_the_same_however_it_lies():
    def head_and_tip(turn):
        frame = Frame.of(bolt(turn)[1])
        spin = cv2.getRotationMatrix2D((100, 100), turn, 1)
        return [frame.place(*(spin @ [x, 100, 1])[::-1])[0] for x in (45, 155)]

    for turn in (0, 50, 135, 200, 290):
        assert head_and_tip(turn) == pytest.approx([0.04, 0.96], abs=0.03)


def test_images_that_the_model_learnt_from_are_left_out(bench, line):
    detector = bench.detector
    learnt = {row.tobytes() for row in detector.fitted.learnt}
    assert bench.learnt == len(learnt) and len(bench.paths) + bench.alarming + bench.learnt == 24
    some = [path for path in list_images(line / "train" / "good") if path not in bench.paths]
    with pytest.raises(InputError, match="learnt from .* are left"):
        Bench.prepare(detector, some[:5], line / "train" / "good", None)


def test_masks_that_are_empty_or_tiny_are_refused(bench, line, tmp_path):
    folder = line / "train" / "good"

    def prepare(mask):
        Image.fromarray(mask).save(tmp_path / "mask.png")
        Bench.prepare(bench.detector, list_images(folder), folder, tmp_path / "mask.png")

    with pytest.raises(InputError, match="mask.png is empty"):
        prepare(np.zeros((96, 96), np.uint8))
    speck = np.zeros((96, 96), np.uint8)
    speck[40:44, 40:44] = 255
    with pytest.raises(InputError, match="too small for the smallest defect"):
        prepare(speck)
    with pytest.raises(InputError, match="no mask of the part"):
        (tmp_path / "masks").mkdir()
        Bench.prepare(bench.detector, list_images(folder), folder, tmp_path / "masks")


def test_defects_lie_in_the_region_of_interest(line, patch_model, tmp_path):
    folder = line / "train" / "good"
    paths, detector = list_images(folder), load(patch_model, "cpu")
    whole = Bench.prepare(detector, paths, folder, None).fingerprint(20)
    detector.roi = Roi.polygon("0,0 0.5,0 0.5,1 0,1")
    left = Bench.prepare(detector, paths, folder, None)
    assert left.fingerprint(20) != whole
    for number in range(20):
        image, part, _ = left.load(left.image_of("pit", number))
        assert part.any() and not part[:, 48:].any()
        defect = left.draw("pit", number, 6, 0.3)
        assert (defect.image == image)[~part].all() and (defect.image != image).any()
    right = np.zeros((96, 96), np.uint8)
    right[:, 60:] = 255
    Image.fromarray(right).save(tmp_path / "right.png")
    with pytest.raises(InputError, match="nothing of the part in .* is in the region of interest"):
        Bench.prepare(detector, paths, folder, tmp_path / "right.png")


def test_constant_images_are_refused_or_nothing_is_said_of_them(bench, tmp_path):
    for grey in (80, 81, 82):
        Image.fromarray(np.full((96, 96), grey, np.uint8)).save(tmp_path / f"{grey}.png")
    with pytest.raises(InputError, match="3 of 3 good images raise an alarm as they are"):
        Bench.prepare(bench.detector, list_images(tmp_path), tmp_path, None)


def test_a_run_that_was_stopped_goes_on_to_the_same_end(bench, tmp_path):
    whole = run_trials(bench, ["pit", "dent"], 10, tmp_path / "whole", resume=False)
    run_trials(bench, ["dent"], 10, tmp_path / "half", resume=False)
    rows = (tmp_path / "half" / TRIALS).read_text().splitlines()
    (tmp_path / "half" / TRIALS).write_text("\n".join(rows[:6]) + '\n{"kind": "de')
    with pytest.raises(InputError, match="continue it with --resume"):
        run_trials(bench, ["pit", "dent"], 10, tmp_path / "half", resume=False)
    half = run_trials(bench, ["pit", "dent"], 10, tmp_path / "half", resume=True)
    assert sorted(map(str, half)) == sorted(map(str, whole)) and len(whole) == 20
    with pytest.raises(InputError, match="another model"):
        run_trials(bench, ["pit"], 12, tmp_path / "half", resume=True)


def trials(rng, count=300, kind="pit", limit=10.0, rim=1.0):
    """Pits that are found from a size on, with noise; at the rim less often."""
    made = []
    for number in range(count):
        size, along, at_rim = np.exp(rng.uniform(0.7, 4)), rng.random(), rng.random() < 0.3
        found = np.log(size) + rng.normal(0, 0.3) > np.log(limit) and (
            not at_rim or rng.random() < rim
        )
        contrast = 0.1 * np.exp(rng.normal(0, 0.1))
        one = Trial(kind, number, f"{number % 40}.png", size, contrast, 1.0, bool(found),
                    bool(found), along, rng.random(), bool(at_rim), size, contrast)  # fmt: skip
        made.append(one)
    return made


def test_limits_are_told_in_plain_words(rng):
    limits = Limits.of(["pit"], trials(rng))
    sentence = limits.sentences(None)[0]
    a90 = limits.as_dict(None)["kinds"]["pit"]["a90_95"]["px"]
    assert 12 < a90 < 20  # the truth is 14.7 px
    start = "Of pits with a contrast of 26 grey levels, 9 in 10 are found from"
    assert sentence == f"{start} {a90:.0f} px on (95% sure), anywhere on the part."
    assert f"({a90 / 5:.2g} mm)" in limits.sentences(5.0)[0]
    json.dumps(limits.as_dict(5.0))


def test_a_blind_rim_is_named_and_left_out(rng):
    limits = Limits.of(["pit"], trials(rng, rim=0.1))
    assert limits.without_rim and "anywhere but at the rim" in limits.sentences(None)[0]


def test_pieces_that_break_off_at_a_blind_rim_are_kept(rng):
    pieces = [replace(one, at_rim=True) for one in trials(rng, kind="missing")]
    limits = Limits.of(["pit", "missing"], trials(rng, rim=0.1) + pieces)
    pits, missing = limits.kinds
    assert limits.without_rim and len(pits.trials) < 300 and len(missing.trials) == 300
    words = {kind.kind: kind.sentence(limits.where(kind.kind)) for kind in limits.kinds}
    assert "but at the rim" in words["pit"] and "but at the rim" not in words["missing"]


def test_there_is_no_limit_where_there_is_no_curve(rng):
    some = trials(rng)
    for found, words in ((True, "All 300 pits were found: the limit is below 2."),
                         (False, "None of 300 pits was found: the limit is above")):  # fmt: skip
        limits = Limits.of(["pit"], [replace(one, found=found) for one in some])
        assert limits.sentences(None)[0].startswith(words)
        assert limits.as_dict(None)["kinds"]["pit"]["a90_95"] is None
    chance = [replace(one, found=bool(rng.random() < 0.5)) for one in some]
    assert "larger ones not more often" in Limits.of(["pit"], chance).sentences(None)[0]


def test_where_all_is_found_from_some_size_on_the_report_has_the_limit_too(bench, rng, tmp_path):
    some = [replace(one, found=one.size > 12, wanted_size=8, wanted_contrast=0.2)
            for one in trials(rng)]  # fmt: skip
    limits = Limits.of(["pit", "stain"], some + [replace(one, kind="stain") for one in some])
    facts = limits.as_dict(None)
    a90 = facts["kinds"]["pit"]["a90_95"]["px"]
    assert 12 < a90 < 13 and facts["kinds"]["pit"]["no_curve_because"] == "a step"
    assert f"9 in 10 are found from {a90:.0f} px on" in facts["in_words"][0]
    write_limits(limits, bench, tmp_path, "part", None)
    assert f"<td>{a90:.0f} px</td>" in (tmp_path / "limits.html").read_text()


def test_large_defects_that_are_missed_show_a_rosy_curve(rng):
    some = [replace(one, found=one.found and rng.random() < 0.6) for one in trials(rng, 600)]
    limits = Limits.of(["pit"], some)
    text = limits.sentences(None)[0]
    assert "surely found" in text or "only" in text
    assert "9 in 10 are found" not in text


def test_a_report_has_the_curves_the_map_and_what_was_just_found_and_missed(bench, rng, tmp_path):
    some = [
        replace(one, contrast=contrast, found=bool(one.found and contrast > 0.05 * rng.random()),
                wanted_size=8, wanted_contrast=0.2)
        for one, contrast in ((one, float(np.exp(rng.uniform(-4, -1)))) for one in trials(rng))
    ]  # fmt: skip
    stains = [replace(one, kind="stain", found=True) for one in some]
    limits = Limits.of(["pit", "stain"], some + stains)
    write_limits(limits, bench, tmp_path, "part", 4.0)
    page = (tmp_path / "limits.html").read_text()
    titles = ["map of the part", "pit, contrast about 26 grey levels", "pit, about", "pit: just"]
    titles += ["stain: just"]
    pictures = page.split("<img alt=")[1:]
    assert len(pictures) == len(titles)
    assert all(name in one[:60] for name, one in zip(titles, pictures))
    (row,) = re.findall(r"<tr><td>pit, contrast 26 grey levels</td>(.*?)</tr>", page)
    sure = limits.as_dict(4.0)["kinds"]["pit"]["a90_95"]["px"]
    assert row.count("<td>") == 6 and f"{sure:.0f} px" in row and "mm" in row
    assert "all found" in page and "because the model learnt from them: 18" in page
