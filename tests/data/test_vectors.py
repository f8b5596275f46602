import pytest
import torch

from anomgan.data.vectors import Vectors, VectorSampler


@pytest.fixture
def vectors():
    """100 vectors of 10 images; each vector says which one it is."""
    number = torch.arange(100)
    return Vectors(torch.stack([number, number // 10, -number], 1).half(), number // 10)


def test_a_batch_has_vectors_and_the_number_of_the_image_of_each(vectors):
    values, images = VectorSampler(vectors, 32)(0)
    assert len(vectors) == 100
    assert values.shape == (32, 3, 1, 1) and values.dtype == torch.half
    assert torch.equal(values[:, 1, 0, 0].long(), images)
    assert torch.equal(values[:, 0], -values[:, 2])


def test_the_batch_of_a_step_depends_on_seed_and_step_alone(vectors):
    one, other = VectorSampler(vectors, 32, seed=5), VectorSampler(vectors, 32, seed=5)
    for step in range(4):
        one(step)
    torch.manual_seed(1)
    for step in (3, 0, 2):
        for first, second in zip(one(step), other(step), strict=True):
            assert torch.equal(first, second)


def test_other_seeds_and_other_steps_give_other_batches(vectors):
    batches = [VectorSampler(vectors, 32, seed)(step)[0] for seed in (0, 1) for step in (0, 1)]
    kinds = {tuple(batch[:, 0, 0, 0].tolist()) for batch in batches}
    assert len(kinds) == 4


def test_all_vectors_have_their_turn(vectors):
    sampler = VectorSampler(vectors, 32)
    seen = torch.cat([sampler(step)[0][:, 0, 0, 0] for step in range(40)])
    assert seen.unique().tolist() == list(range(100))


def test_few_vectors_fill_a_large_batch():
    sampler = VectorSampler(Vectors(torch.zeros(2, 3).half(), torch.tensor([0, 1])), 64)
    assert sampler(0)[0].shape == (64, 3, 1, 1)
