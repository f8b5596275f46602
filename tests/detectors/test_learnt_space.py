import numpy as np
import pytest
import torch
from plates import draw_plates

from anomgan.config import BackboneSettings
from anomgan.data.store import ImageStore
from anomgan.data.views import to_network
from anomgan.detectors import learnt_space
from anomgan.detectors.feature_space import FeatureSpace
from anomgan.detectors.learnt_space import learn_space
from anomgan.detectors.map_files import MapFiles
from anomgan.errors import InputError, TrainingError

BACKBONE = BackboneSettings(long_side=64, directions=16, augment="none")


@pytest.fixture
def store():
    """Ten prepared images of 64 pixels."""
    with ImageStore() as made:
        for image in draw_plates(10, seed=0, side=64):
            made.append(image[:, :, None])
        yield made


@pytest.fixture
def space():
    made = FeatureSpace(BACKBONE).eval()
    made.extractor.load_weights()
    return made


def _learn(space, store, work=None, settings=BACKBONE, seed=0):
    folds = np.arange(len(store)) % 4
    work = work or MapFiles(None, {}, False)
    return learn_space(space, store, range(len(store)), folds, settings, work, seed)


@pytest.mark.parametrize("align", ["auto", "none"])
def test_a_space_is_built_again_from_what_it_says_of_itself(space, store, align):
    settings = BACKBONE.model_copy(update={"align": align, "components": 4})
    learnt = _learn(space, store, settings=settings)
    assert learnt.place == space.describe()
    assert learnt.place == (None if align == "none" else {"shape": [16, 6, 6], "components": 4})
    again = FeatureSpace(settings, learnt.place).eval()
    again.load_state_dict(space.state_dict())
    x = to_network(space.grid.surround(store[0])[None])
    assert torch.equal(again(x), space(x))


def test_without_alignment_maps_are_learnt_as_new_ones_will_look(space, store):
    learnt = _learn(space, store, settings=BACKBONE.model_copy(update={"align": "none"}))
    for index in (0, 7):
        padded = space.grid.surround(store[index])
        seen = space.grid.crop(space(to_network(padded[None])), store[index].shape)[0]
        difference = (learnt.maps[index].float() - seen).square().mean()
        assert difference < 1e-3 * seen.square().mean()


def test_vectors_are_drawn_fairly_over_the_images(space, store):
    settings = BACKBONE.model_copy(update={"vectors": 1000, "align": "none"})
    few = _learn(space, store, settings=settings).vectors
    assert few.images.bincount().tolist() == [16] * 10  # there are no more
    settings = settings.model_copy(update={"vectors": 50})
    few = _learn(space, store, settings=settings).vectors
    assert few.images.bincount().tolist() == [5] * 10 and few.values.shape == (50, 16)


class _Stopped(Exception):
    """Stands for a process that was killed."""


def _count_images(monkeypatch):
    """A list that grows by one for each image that passes the backbone."""
    seen, original = [], learnt_space._raw_map

    def raw_map(space, image):
        seen.append(image)
        return original(space, image)

    monkeypatch.setattr(learnt_space, "_raw_map", raw_map)
    return seen


def _stop_after_first_file(monkeypatch):
    original = MapFiles.append

    def append(self, maps, moments):
        if self.maps:
            raise _Stopped
        original(self, maps, moments)

    monkeypatch.setattr(MapFiles, "append", append)


def test_a_stopped_run_goes_on_and_ends_with_the_same_maps(space, store, tmp_path, monkeypatch):
    expected = _learn(space, store)
    monkeypatch.setattr(learnt_space, "IMAGES_PER_FILE", 4)
    facts = {"images": "these"}
    with monkeypatch.context() as patch:
        _stop_after_first_file(patch)
        with pytest.raises(_Stopped):
            _learn(space, store, MapFiles(tmp_path, facts, False))
    assert len(list(tmp_path.iterdir())) == 1
    seen = _count_images(monkeypatch)
    other = FeatureSpace(BACKBONE).eval()
    other.extractor.load_weights()
    learnt = _learn(other, store, MapFiles(tmp_path, facts, True))
    assert len(seen) == 6
    assert learnt.place == expected.place and learnt.explained == expected.explained
    for one, wanted in zip(learnt.maps, expected.maps, strict=True):
        assert torch.equal(one, wanted)
    assert torch.equal(learnt.vectors.values, expected.vectors.values)
    # Once more: all is there.
    _learn(other, store, MapFiles(tmp_path, facts, True))
    assert len(seen) == 6


def test_maps_of_other_images_or_settings_are_refused(space, store, tmp_path):
    _learn(space, store, MapFiles(tmp_path, {"images": "these"}, False))
    with pytest.raises(TrainingError, match="other images or backbone settings.*without --resume"):
        MapFiles(tmp_path, {"images": "those"}, True)


def test_a_damaged_file_of_maps_is_named(space, store, tmp_path):
    _learn(space, store, MapFiles(tmp_path, {}, False))
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(TrainingError, match=f"{file.name} is damaged"):
        MapFiles(tmp_path, {}, True)


def test_a_run_that_starts_anew_leaves_no_file_of_an_earlier_one(
    space, store, tmp_path, monkeypatch
):
    monkeypatch.setattr(learnt_space, "IMAGES_PER_FILE", 4)
    _learn(space, store, MapFiles(tmp_path, {"images": "earlier"}, False))
    assert len(list(tmp_path.iterdir())) == 3
    with monkeypatch.context() as patch:
        _stop_after_first_file(patch)
        with pytest.raises(_Stopped):
            _learn(space, store, MapFiles(tmp_path, {"images": "these"}, False))
    assert len(MapFiles(tmp_path, {"images": "these"}, True).maps) == 4


def test_of_more_images_than_fit_in_memory_a_share_is_drawn(space, store, monkeypatch):
    seen = _count_images(monkeypatch)
    monkeypatch.setattr(learnt_space, "MEMORY", 5 * 2 * space.extractor.channels * 36)
    one, again, other = (_learn(space, store, seed=seed) for seed in (0, 0, 1))
    assert len(one.maps) == len(other.maps) == 5 and len(seen) == 15
    drawn = [{place.tobytes() for place in seen[first : first + 5]} for first in (0, 5, 10)]
    assert len(drawn[0]) == 5 and drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(one.vectors.values, again.vectors.values)


def test_images_too_large_for_memory_are_refused_with_a_way_out(space, store, monkeypatch):
    monkeypatch.setattr(learnt_space, "MEMORY", 1000)
    with pytest.raises(InputError, match=r"choose a smaller backbone\.long_side"):
        _learn(space, store)
