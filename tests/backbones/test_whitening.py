import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from anomgan.backbones import Moments, Whitening
from anomgan.errors import InputError


def _vectors(count, channels, seed=0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator)
    return torch.randn(count, channels, generator=generator) @ mixing + 5


def _moments(vectors):
    moments = Moments(vectors.shape[1])
    moments.add(vectors)
    return moments


def _apply(whitening, vectors):
    return whitening(vectors[:, :, None, None])[:, :, 0, 0]


def test_moments_are_those_of_numpy():
    vectors = _vectors(50, 6)
    moments = _moments(vectors)
    assert np.allclose(moments.mean(), vectors.numpy().mean(0))
    wanted = np.cov(vectors.numpy().astype(np.float64).T, bias=True)
    assert np.allclose(moments.covariance(), wanted)
    assert np.allclose(moments.part(2, 5).covariance(), wanted[2:5, 2:5])


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
@settings(max_examples=20, deadline=None)
def test_batch_by_batch_equals_all_at_once(sizes):
    vectors = _vectors(sum(sizes), 4)
    moments = Moments(4)
    for batch in vectors.split(sizes):
        moments.add(batch)
        moments = Moments.from_tensors(moments.tensors())
    whole = _moments(vectors)
    assert moments.count == whole.count == sum(sizes)
    assert torch.allclose(moments.products, whole.products)


def test_resuming_does_not_share_memory():
    first = _moments(_vectors(5, 3))
    second = Moments.from_tensors(first.tensors())
    second.add(_vectors(5, 3))
    assert (first.count, second.count) == (5, 10)


def test_whitened_vectors_are_uncorrelated_with_variance_one():
    vectors = _vectors(400, 8)
    white = _apply(Whitening.fit(_moments(vectors), 5), vectors).numpy()
    assert np.allclose(white.mean(0), 0, atol=1e-4)
    assert np.allclose(np.cov(white.T, bias=True), np.eye(5), atol=1e-3)


def test_the_directions_are_the_principal_components():
    vectors = _vectors(300, 6)
    whitening = Whitening.fit(_moments(vectors), 6)
    centred = vectors.double().numpy() - vectors.double().numpy().mean(0)
    _, scales, components = np.linalg.svd(centred, full_matrices=False)
    components *= np.sign(np.take_along_axis(components, abs(components).argmax(1)[:, None], 1))
    wanted = components / (scales[:, None] / np.sqrt(300))
    assert np.allclose(whitening.directions, wanted, rtol=1e-3, atol=1e-4)


def test_a_direction_without_variance_gives_zeros():
    vectors = _vectors(100, 5)
    vectors[:, 2] = 7
    vectors[:, 4] = vectors[:, 3]
    white = _apply(Whitening.fit(_moments(vectors), 5), vectors)
    assert white.isfinite().all()
    assert (white[:, 3:] == 0).all()
    assert (white[:, :3].var(0) > 0.5).all()


@pytest.mark.parametrize(("count", "channels", "kept"), [(3, 8, 2), (50, 2, 2)])
def test_fewer_vectors_or_channels_than_directions(count, channels, kept):
    vectors = _vectors(count, channels)
    white = _apply(Whitening.fit(_moments(vectors), 6), vectors)
    assert white.shape == (count, 6)
    assert white.isfinite().all()
    assert ((white != 0).any(0)).tolist() == [index < kept for index in range(6)]


@pytest.mark.parametrize("vectors", [torch.full((9, 3), 0.1), torch.zeros(9, 3), _vectors(1, 3)])
def test_images_that_are_all_alike_are_refused(vectors):
    with pytest.raises(InputError, match="alike"):
        Whitening.fit(_moments(vectors), 2)


def test_no_images_are_refused():
    with pytest.raises(InputError, match="no images"):
        Whitening.fit(Moments(3), 2)


def test_it_is_stored_and_built_empty():
    whitening = Whitening.fit(_moments(_vectors(100, 5)), 3)
    other = Whitening(5, 3)
    other.load_state_dict(whitening.state_dict())
    maps = torch.randn(2, 5, 4, 3)
    assert torch.equal(whitening(maps), other(maps))
    assert whitening(maps).shape == (2, 3, 4, 3)


def test_deviations_are_those_of_the_principal_components():
    vectors = _vectors(200, 5)
    deviations = Whitening.fit(_moments(vectors), 7).deviations()
    expected = np.linalg.svd(vectors.numpy() - vectors.numpy().mean(0))[1]
    assert np.allclose(deviations[:5], expected / expected[0], rtol=1e-4)
    assert deviations[5:].tolist() == [1, 1], "no variance: they give 0, whatever the scale"
