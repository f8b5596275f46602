import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.data.labels import LabelledImages
from anomgan.data.store import ImageStore
from anomgan.data.views import ViewSampler, scan, to_square


def identity(x):
    return {"copy": x}


@given(
    height=st.integers(16, 150),
    width=st.integers(16, 150),
    tile=st.sampled_from([32, 64, 96]),
    stride=st.sampled_from([8, 16, 32]),
    margin=st.sampled_from([0, 4, 8]),
)
@settings(max_examples=60, deadline=None)
def test_scanning_covers_every_pixel_and_puts_it_back(height, width, tile, stride, margin):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    seen = []

    def infer(x):
        seen.append(x.shape)
        return identity(x)

    copy = scan(image, infer, tile=tile, stride=stride, margin=margin)["copy"]
    assert copy.shape == (1, 3, height, width)
    back = (copy[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert np.abs(back - image).max() < 0.01
    assert all(side <= tile and side % stride == 0 for shape in seen for side in shape[2:])


@pytest.mark.parametrize("shape", [(100, 85), (200, 70), (224, 96)])
def test_an_image_is_padded_no_further_than_training_views_are(shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8)
    tiles = []

    def infer(x):
        tiles.extend((x[:, 0] + 1) * 127.5)
        return identity(x)

    scan(image, infer, tile=768, stride=32, margin=16)
    padded = np.pad(image[..., 0], 16, mode="reflect")
    height, width = tiles[-1].shape
    assert np.allclose(tiles[0], padded[:height, :width], atol=0.01)
    assert np.allclose(tiles[-1], padded[-height:, -width:], atol=0.01)


def pixels_scanned(height, width, stride):
    pixels = []

    def infer(x):
        pixels.append(x.shape[0] * x.shape[2] * x.shape[3])
        return identity(x)

    scan(np.zeros((height, width, 1), np.uint8), infer, tile=768, stride=stride, margin=16)
    return sum(pixels)


def test_a_large_image_costs_about_one_pass():
    assert pixels_scanned(1000, 1000, stride=16) < 1.25 * 1000 * 1000


def test_a_small_image_costs_less_than_two():
    assert pixels_scanned(180, 256, stride=32) < 2 * (180 + 32) * (256 + 32)


def test_tiles_are_blended_without_seams():
    # Every tile reports its own constant; the blend must go from one to the next smoothly.
    values = iter(range(100))

    def infer(x):
        levels = torch.tensor([float(next(values)) for _ in x])
        return {"level": levels[:, None, None, None].expand(-1, 1, *x.shape[2:])}

    level = scan(np.zeros((32, 200, 1), np.uint8), infer, tile=32, stride=32, margin=8)["level"]
    assert level[0, 0].diff(dim=1).abs().max() < 0.2


def test_a_square_is_filled_by_reflection():
    square = to_square(np.arange(8, dtype=np.uint8).reshape(2, 4, 1), 4)[:, :, 0]
    assert square.tolist() == [[4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3]]


@pytest.mark.parametrize("whole", [True, False])
def test_batches_depend_on_seed_and_step_alone(rng, whole):
    store = ImageStore()
    for height in (40, 50, 60):
        store.append(rng.integers(0, 256, (height, 40, 1), dtype=np.uint8))

    def sampler(seed):
        side = 64 if whole else 32
        return ViewSampler(store, [0, 2], size=side, batch_size=5, whole=whole, seed=seed)

    first = sampler(1)
    batches = [first(0)[0], first(1)[0]]
    again = sampler(1)
    assert torch.equal(again(1)[0], batches[1]) and torch.equal(again(0)[0], batches[0])
    assert not torch.equal(batches[0], batches[1])
    assert not torch.equal(sampler(2)(0)[0], batches[0])
    assert batches[0].shape[:2] == (5, 1) and batches[0].dtype == torch.uint8


@pytest.mark.parametrize("shape", [(50, 40), (24, 17)])
def test_the_edge_of_an_image_is_seen_in_training_as_it_is_when_scanned(tmp_path, shape):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8)
    store = ImageStore(folder=tmp_path)
    store.append(image)
    sampler = ViewSampler(store, [0], size=32, batch_size=200, whole=False)
    views = sampler(0)[0][:, 0].numpy()
    padded = np.pad(image[..., 0], 8, mode="reflect")
    places = np.lib.stride_tricks.sliding_window_view(padded, (32, 32))
    found = {
        tuple(place) for view in views for place in np.argwhere((places == view).all(axis=(2, 3)))
    }
    for axis, length in enumerate(shape):
        assert {place[axis] for place in found} == set(range(length + 16 - 32 + 1))


def test_crops_stay_inside_an_image_if_they_must_not_reach_past_its_edge():
    image = np.arange(50 * 40, dtype=np.uint8).reshape(50, 40, 1)
    store = ImageStore()
    store.append(image)
    sampler = ViewSampler(store, [0], size=32, batch_size=200, whole=False, past_edge=False)
    views = sampler(0)[0][:, 0].numpy()
    places = np.lib.stride_tricks.sliding_window_view(image[..., 0], (32, 32))
    found = [np.argwhere((places == view).all(axis=(2, 3))) for view in views]
    assert all(len(place) for place in found), "no view has a mirrored border"
    assert {int(place[0][1]) for place in found} == set(range(40 - 32 + 1))


def test_an_image_smaller_than_a_view_is_filled_up_even_so():
    store = ImageStore()
    store.append(np.arange(24, dtype=np.uint8).repeat(300).reshape(24, 300, 1))
    sampler = ViewSampler(store, [0], size=32, batch_size=50, whole=False, past_edge=False)
    for rows in sampler(0)[0][:, 0, :, 0].int():
        assert set(rows.diff().abs().tolist()) == {1} and len(set(rows.tolist())) == 24


def numbered(strata):
    """Images of the constant brightness of their index, with labels."""
    store = ImageStore()
    for index in range(len(strata)):
        store.append(np.full((16, 16, 1), index, np.uint8))
    labels = np.eye(max(strata) + 1, dtype=np.float32)[list(strata)]
    return store, LabelledImages([], labels, (), np.array(strata))


@pytest.mark.parametrize("height", [16, 17, 31])
def test_half_of_a_view_may_lie_past_a_narrow_image(height):
    store = ImageStore()
    store.append(np.arange(height, dtype=np.uint8).repeat(300).reshape(height, 300, 1))
    views = ViewSampler(store, [0], size=32, batch_size=200, whole=False)(0)[0]
    assert views.shape == (200, 1, 32, 32)
    for rows in views[:, 0, :, 0].int():
        assert set(rows.diff().abs().tolist()) == {1}, "the image, and its reflection"


def labelled_sampler(strata, **values):
    store, labelled = numbered(strata)
    values = {"size": 16, "whole": True, "labelled": labelled} | values
    return ViewSampler(store, range(len(strata)), **values)


UNEVEN = [0] * 90 + [1] * 3 + [2]


def test_labelled_batches_go_round_the_strata_evenly_though_images_are_unbalanced():
    sampler = labelled_sampler(UNEVEN, batch_size=9)
    for step in range(20):
        assert sampler(step)[1].sum(0).tolist() == [3, 3, 3]
    seen = {int(index) for step in range(400) for index in sampler(step)[0][:, 0, 0, 0]}
    assert seen == set(range(len(UNEVEN)))


def test_labels_belong_to_their_views():
    sampler = labelled_sampler(UNEVEN, batch_size=6)
    orders = set()
    for step in range(20):
        views, labels = sampler(step)
        assert labels.dtype == torch.float32
        strata = [UNEVEN[index] for index in views[:, 0, 0, 0]]
        assert labels.argmax(1).tolist() == strata
        orders.add(tuple(strata))
    assert len(orders) > 5, "the order is drawn anew for each step"


def test_all_batches_of_a_step_have_the_same_labels_in_the_same_order():
    sampler = labelled_sampler(UNEVEN, batch_size=12, batches=3)
    for step in range(10):
        views, labels = sampler(step)
        first, second, third = labels.chunk(3)
        assert torch.equal(first, second) and torch.equal(first, third)
        assert len(set(first.argmax(1).tolist())) == 3
    indices = views[:, 0, 0, 0].view(3, 4)
    assert not torch.equal(indices[0], indices[1]), "but not the same images"


def test_fewer_views_than_strata_reach_them_all_over_the_steps():
    sampler = labelled_sampler(list(range(5)), batch_size=2)
    counts = sum(sampler(step)[1].sum(0) for step in range(500))
    assert counts.sum() == 1000 and (counts - 200).abs().max() < 40


def test_only_the_chosen_images_are_trained_on_with_labels_too():
    store, labelled = numbered([0, 0, 1, 1])
    sampler = ViewSampler(store, [1, 2], size=16, batch_size=4, whole=True, labelled=labelled)
    assert set(sampler(0)[0][:, 0, 0, 0].tolist()) == {1, 2}


@pytest.mark.parametrize("whole", [True, False])
def test_about_half_of_the_views_are_mirrored_which_ones_the_step_decides(rng, whole):
    store = ImageStore()
    for _ in range(3):
        store.append(rng.integers(0, 256, (40, 40, 3), dtype=np.uint8))

    def sampler(flip):
        side = 40 if whole else 24
        return ViewSampler(store, range(3), size=side, batch_size=200, whole=whole, flip=flip)

    plain, flipped = sampler(False)(5)[0], sampler(True)(5)[0]
    same = (plain == flipped).flatten(1).all(1)
    mirrored = (plain.flip(3) == flipped).flatten(1).all(1)
    assert (same ^ mirrored).all() and 70 < mirrored.sum() < 130
    again = sampler(True)
    assert not torch.equal(again(6)[0], flipped) and torch.equal(again(5)[0], flipped)
