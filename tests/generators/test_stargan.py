import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import log_loss
from torch import nn

from anomgan.data.labels import LabelSet
from anomgan.generators.stargan import StarGAN, StarGANSettings
from anomgan.networks.texture import texture, with_texture

HAIR = LabelSet(("black", "blond", "grey"), exclusive=True)
TRAITS = LabelSet(("old", "tall"), exclusive=False)
NAN = float("nan")
JOINT = torch.tensor(
    [
        [1, 0, 0, NAN, NAN],
        [0, 0, 1, NAN, NAN],
        [0, 1, 0, NAN, NAN],
        [NAN, NAN, NAN, 1, 0],
        [NAN, NAN, NAN, 1, 1],
    ]
)
"""Three images of one data set, two of another."""


def make(sets=(HAIR, TRAITS), **settings):
    torch.manual_seed(0)
    values = {"features": 2, "blocks": 1, "critic_steps": 2} | settings
    return StarGAN(16, 1, StarGANSettings(**values), sets)


def told(gan, x, style):
    """What the generator is given beside the image."""
    seen, generator = [], gan.networks["generator"]
    handle = generator.register_forward_pre_hook(lambda _, given: seen.append(given))
    gan.translate(x, style)
    handle.remove()
    return seen[0][1]


def test_a_step_is_several_of_the_discriminator_and_one_of_the_generator():
    gan = make((HAIR,), critic_steps=3)
    assert gan.batches_per_step == 3
    x, c = torch.randn(6, 1, 16, 16), torch.eye(3)[:2].repeat(3, 1)
    seen = []
    gan.networks["discriminator"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    updates = list(gan.step(x, c))
    assert [update.player for update in updates] == ["discriminator"] * 3 + ["generator"]
    for batch in x.chunk(3):
        assert any(torch.equal(batch, one) for one in seen), "a batch of its own for each step"


def test_the_objectives_are_weighted_sums_of_their_terms():
    gan = make(domain=3.0, reconstruction=5.0, gradient_penalty=7.0)
    *judged, update = gan.step(torch.randn(10, 1, 16, 16), JOINT.repeat(2, 1))
    for one in judged:
        terms = one.terms
        expected = -terms["wasserstein"] + 3 * terms["domain_real"] + 7 * terms["penalty"]
        assert one.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    terms = update.terms
    expected = terms["generator"] + 3 * terms["domain_fake"] + 5 * terms["reconstruction"]
    assert update.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_terms_are_those_of_the_paper():
    gan = make((HAIR,), critic_steps=1)
    x, c = torch.rand(3, 1, 16, 16) * 2 - 1, torch.eye(3)
    torch.manual_seed(1)
    judged, update = list(gan.step(x, c))
    torch.manual_seed(1)
    wanted = gan.shuffle(c)
    fake = gan.translate(x, wanted)
    (real_values, real_labels), (values, labels) = map(gan.networks["discriminator"], (x, fake))
    expected = {
        "wasserstein": real_values.mean() - values.mean(),
        "domain_real": F.cross_entropy(real_labels, c),
        "generator": -values.mean(),
        "domain_fake": F.cross_entropy(labels, wanted),
        "reconstruction": (gan.translate(fake, c) - x).abs().mean(),
    }
    found = {**judged.terms, **update.terms}
    for name, term in expected.items():
        assert found[name].item() == pytest.approx(term.item(), rel=1e-4), name


def test_of_several_data_sets_a_mask_says_which_labels_are_known():
    beside = told(make(), torch.zeros(5, 1, 16, 16), JOINT)
    assert torch.equal(beside[:, :5], JOINT.nan_to_num(0.0)), "unknown labels are 0"
    assert beside[:, 5:].tolist() == [[1, 0]] * 3 + [[0, 1]] * 2, "equation 7"


def test_of_one_data_set_there_is_no_mask():
    assert torch.equal(told(make((HAIR,)), torch.zeros(3, 1, 16, 16), torch.eye(3)), torch.eye(3))


def test_targets_are_labels_of_other_images_of_the_same_data_set():
    torch.manual_seed(0)
    gan, moved = make(), 0
    for _ in range(20):
        wanted = gan.shuffle(JOINT)
        assert torch.equal(wanted.isnan(), JOINT.isnan())
        for rows in (slice(0, 3), slice(3, 5)):
            assert sorted(wanted[rows].nan_to_num(-1).tolist()) == sorted(
                JOINT[rows].nan_to_num(-1).tolist()
            )
        moved += not torch.equal(wanted.nan_to_num(-1), JOINT.nan_to_num(-1))
    assert moved > 10


def test_the_error_of_labels_is_softmax_for_classes_and_sigmoid_for_attributes():
    torch.manual_seed(0)
    logits = torch.randn(5, 5, dtype=torch.double)
    classes = log_loss([0, 2, 1], logits[:3, :3].softmax(1), labels=[0, 1, 2], normalize=False)
    chances = logits[3:, 3:].sigmoid().numpy()
    truth = JOINT[3:, 3:].numpy()
    attributes = -np.log(np.where(truth == 1, chances, 1 - chances)).sum()
    assert make().label_error(logits, JOINT.double()).item() == pytest.approx(
        (classes + attributes) / 5, rel=1e-6
    )


def test_labels_that_are_unknown_teach_nothing():
    logits = torch.randn(5, 5, requires_grad=True)
    make().label_error(logits, JOINT).backward()
    assert torch.equal(logits.grad != 0, ~JOINT.isnan())


def test_a_batch_of_one_data_set_alone_is_learnt_too():
    gan = make(critic_steps=1)
    for update in gan.step(torch.randn(3, 1, 16, 16), JOINT[:3]):
        assert update.loss.isfinite()


@pytest.mark.parametrize("more", [{}, {"skip": True}, {"texture": True}])
def test_a_generator_of_changes_starts_with_the_image_and_learns_from_the_first_steps(more):
    gan = make(features=8, blocks=2, change=True, **more)
    generator, x = gan.networks["generator"], torch.rand(5, 1, 16, 16) * 2 - 1
    assert torch.equal(gan.translate(x, JOINT), x)
    # The maps before the last layer are as strong as the image, and tell the labels apart.
    seen = []
    generator.layers[-2].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for labels in (JOINT, JOINT.roll(1, 1)):
        gan.translate(x, labels)
    assert 0.3 < seen[0].std() / x.std() < 5
    assert (seen[0] - seen[1]).std() > 0.3 * x.std()


def test_the_discriminator_sees_images_as_they_are_unless_it_is_told_to_augment():
    plain, augmenting = make(), make(diff_augment=True)
    real, fake = torch.rand(2, 6, 1, 16, 16) * 4 - 2
    assert all(map(torch.equal, plain.shown(real, fake), (real, fake)))
    seen, made = augmenting.shown(real, real * 0.5)
    assert seen.shape == real.shape and not torch.equal(seen, real)
    assert seen.abs().max() <= 1
    inside = seen.abs() < 1
    assert torch.equal(made[inside], seen[inside] * 0.5), "both are moved and cut alike"
    shown = [augmenting.shown(real)[0] for _ in range(2)]
    assert not torch.equal(*shown), "differently each time"


def test_both_players_learn_from_augmented_images():
    gan = make((HAIR,), critic_steps=1, diff_augment=True)
    seen = []
    gan.networks["discriminator"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x, c = torch.full((6, 1, 16, 16), 0.9), torch.eye(3).repeat(2, 1)
    for update in gan.step(x, c):
        weights = list(gan.networks[update.player].parameters())
        gradients = torch.autograd.grad(update.loss, weights, allow_unused=True)
        assert sum(one.abs().sum() for one in gradients if one is not None) > 0, update.player
    # Real, fake and between them; then the generator's fake: all have grey pixels.
    assert len(seen) == 4 and all((one == 0).any(3).any(2).any(1).all() for one in seen)


@pytest.mark.parametrize("change", [False, True])
def test_with_texture_the_discriminator_sees_it_and_a_change_can_remove_it(change):
    gan = make(critic_steps=1, texture=True, change=change)
    seen = []
    gan.networks["discriminator"].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    x = torch.rand(5, 1, 16, 16)
    for update in gan.step(x, JOINT):
        assert update.loss.isfinite()
    assert torch.equal(seen[0], with_texture(x))
    assert len(seen) == 4, "fake, real and between them; then the generator's fake"
    assert all(torch.allclose(one, with_texture(one[:, :1]), atol=1e-4) for one in seen)
    if change:
        last = gan.networks["generator"].layers[-2]
        nn.init.constant_(last.bias[1:].detach(), -9.0)  # before tanh
        assert torch.allclose(gan.translate(x, JOINT), x - texture(x), atol=1e-4)


def test_texture_is_moved_and_cut_like_its_image():
    gan = make(texture=True, diff_augment=True)
    x = torch.rand(5, 1, 16, 16)
    (seen,) = gan.shown(x)
    cut = seen[:, :1] == 0
    assert cut.flatten(1).any(1).all() and (seen[:, 1:][cut] == 0).all()
