import pytest
import torch
import torch.nn.functional as F
from torch import nn

from anomgan.config import TrainingSettings
from anomgan.data.labels import LabelSet
from anomgan.errors import SettingsError
from anomgan.generators.stargan_v2 import StarGANv2, StarGANv2Settings
from anomgan.losses import discriminator_minimax, generator_non_saturating, r1_penalty
from anomgan.networks.texture import texture, with_texture
from anomgan.training.trainer import Trainer

DOMAINS = LabelSet(("a", "b", "c"), exclusive=True)
DOMAIN = torch.tensor([2, 0, 1, 1])


def make(**settings):
    torch.manual_seed(0)
    values = {"latent_dim": 3, "style_dim": 4, "hidden": 8, "features": 2} | settings
    return StarGANv2(16, 1, StarGANv2Settings(**values), (DOMAINS,))


def batch():
    """Sources and two batches of references, with the labels that `ViewSampler` gives them."""
    torch.manual_seed(5)
    return torch.rand(12, 1, 16, 16) * 2 - 1, torch.eye(3)[DOMAIN].repeat(3, 1)


def trainer(gan, **values):
    def batches(step):
        x, c = batch()
        return [((x + 1) * 127.5).to(torch.uint8), c]

    settings = TrainingSettings(steps=1, ema=0.0, **values)
    return Trainer(gan, batches, settings, device=torch.device("cpu"))


def copy(gan):
    return {
        name: [weight.detach().clone() for weight in network.parameters()]
        for name, network in gan.networks.items()
    }


def moved(before, after):
    """Networks that have changed, and the largest change of a weight."""
    return {
        name: largest
        for name in before
        if (largest := max((p - q).abs().max().item() for p, q in zip(before[name], after[name])))
    }


def test_each_update_changes_its_own_networks_and_that_by_reference_the_generator_alone():
    gan = make()
    run = trainer(gan)
    states, players = [copy(gan)], []
    for update, _ in run._updates():
        players.append(update.player)
        states.append(copy(gan))
    assert players == ["discriminator"] * 2 + ["generator", "generator_by_reference"]
    changed = [set(moved(*pair)) for pair in zip(states, states[1:])]
    assert changed == [
        {"discriminator"},
        {"discriminator"},
        {"generator", "mapping", "style_encoder"},
        {"generator"},
    ]


def test_a_generator_of_changes_starts_with_none():
    x, style = batch()[0], torch.randn(12, 4)
    assert torch.equal(make(change=True).translate(x, style), x)
    assert not torch.allclose(make().translate(x, style), x, atol=0.1)


@pytest.mark.parametrize(("given", "share"), [({}, 0.01), ({"mapping_rate": 0.1}, 0.1)])
def test_the_mapping_network_learns_at_a_share_of_the_rate(given, share):
    gan = make(**given)
    before = copy(gan)
    trainer(gan, learning_rate=1e-3).run()
    largest = moved(before, copy(gan))
    # The first step of Adam is as long as its step size.
    assert largest["style_encoder"] == pytest.approx(1e-3, rel=0.01)
    assert largest["mapping"] == pytest.approx(share * 1e-3, rel=0.05)


def test_the_two_references_of_a_pair_are_of_the_target_domain():
    gan = make()
    x, c = batch()
    domain = c.argmax(1)
    seen = []
    encoder = gan.networks["style_encoder"]
    encoder.register_forward_pre_hook(lambda _, given: seen.append(given))
    list(gan.step(x, c))
    uses = {1: [], 2: []}
    for images, targets in seen:
        rows = [next((k for k in range(12) if torch.equal(x[k], one)), None) for one in images]
        if None in rows or rows[0] < 4:
            continue  # a fake, or the sources
        assert torch.equal(domain[rows], targets)
        uses[rows[0] // 4].append((rows, targets.tolist()))
    (first, *_), (second, *_) = uses[1], uses[2]
    assert [row + 4 for row in first[0]] == second[0] and first[1] == second[1]
    assert len(uses[1]) == 2 and len(uses[2]) == 1, "one judges and generates, one is the other"


@pytest.mark.parametrize(("share_done", "left"), [(0.0, 1.0), (0.25, 0.75), (1.0, 0.0)])
def test_the_objective_is_that_of_the_paper_and_diversity_loses_its_weight(share_done, left):
    gan = make(style=2.0, diversity=3.0, cycle=5.0)
    gan.share_done = share_done
    *_, latent, reference = gan.step(*batch())
    for update in (latent, reference):
        terms = update.terms
        expected = (
            terms["generator"]
            + 2 * terms["style"]
            - 3 * left * terms["diversity"]
            + 5 * terms["cycle"]
        )
        assert update.loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_terms_are_those_of_the_paper():
    gan = make(r1=0.5)
    x, c = batch()
    net, source = gan.networks, DOMAIN
    torch.manual_seed(1)
    judged, _, latent, _ = list(gan.step(x, c))
    torch.manual_seed(1)
    order = torch.randperm(4)
    target, z = source[order], torch.randn(2, 4, 3)
    x = x[:4]
    style, other = net["mapping"](z[0], target), net["mapping"](z[1], target)
    fake = net["generator"](x, style)
    judge = net["discriminator"]
    expected = {
        "generator": generator_non_saturating(judge(fake, target)),
        "style": (net["style_encoder"](fake, target) - style).abs().mean(),
        "diversity": (fake - net["generator"](x, other)).abs().mean(),
        "cycle": (net["generator"](fake, net["style_encoder"](x, source)) - x).abs().mean(),
    }
    for name, term in expected.items():
        assert latent.terms[name].item() == pytest.approx(term.item(), rel=1e-4), name
    adversarial = 2 * discriminator_minimax(judge(x, source), judge(fake, target))
    penalty = r1_penalty(lambda real: judge(real, source), x)
    # Half of the squared gradient, as in the authors' code and in Mescheder et al. 2018.
    total = adversarial + 0.5 / 2 * penalty
    assert judged.loss.item() == pytest.approx(total.item(), rel=1e-4)


def test_a_matching_aware_discriminator_rejects_real_images_of_other_domains():
    gan = make(matching_aware=True, r1=0.0)
    seen, judge = [], gan.networks["discriminator"]
    judge.register_forward_hook(lambda _, given, logits: seen.append((*given, logits)))
    x, c = batch()
    judged = next(gan.step(x, c))
    others, real, fake = seen[:3]
    mistaken, domains, logits = others
    assert torch.equal(mistaken, x[:4]) and (domains != DOMAIN).all()
    halves = (
        F.softplus(-real[2]).mean(),
        (F.softplus(fake[2]).mean() + F.softplus(logits).mean()) / 2,
    )
    assert torch.equal(real[1], DOMAIN)
    assert judged.loss.item() == pytest.approx(sum(halves).item(), rel=1e-5)


def test_with_texture_the_discriminator_sees_it_and_a_change_can_remove_it():
    gan = make(texture=True, change=True)
    seen = {"discriminator": [], "style_encoder": []}
    for name, some in seen.items():
        keep = lambda _, given, some=some: some.append(given[0])  # noqa: E731
        gan.networks[name].register_forward_pre_hook(keep)
    x, c = batch()
    for update in gan.step(x, c):
        assert update.loss.isfinite()
    # Real, fake and real again for the penalty, twice; then the two fakes of the generator.
    assert len(seen["discriminator"]) == 8
    assert all(torch.allclose(one, with_texture(one[:, :1])) for one in seen["discriminator"])
    assert all(one.shape[1] == 1 for one in seen["style_encoder"])

    head = gan.networks["generator"].head[-1]
    nn.init.constant_(head.bias[1:].detach(), -1.0)
    assert torch.allclose(gan.translate(x, gan.style(c, None, 0)), x - texture(x), atol=1e-5)


def test_a_style_is_drawn_by_its_seed_or_read_from_a_reference():
    gan = make()
    c = torch.eye(3)[[0, 1]]
    styles = [gan.style(c, None, seed) for seed in (0, 0, 1)]
    assert styles[0].shape == (2, 4)
    assert torch.equal(styles[0], styles[1]) and not torch.allclose(styles[0], styles[2])
    assert not torch.allclose(styles[0][0], styles[0][1]), "one latent vector, two domains"
    image = torch.randn(1, 1, 16, 16)
    expected = gan.networks["style_encoder"](image, torch.tensor([1]))
    assert torch.equal(gan.style(c[1:], image, 0), expected)


def test_it_learns_domains_of_one_data_set():
    for sets in ((DOMAINS, DOMAINS), (LabelSet(("old", "tall"), exclusive=False),)):
        with pytest.raises(SettingsError, match="stargan_v2 learns domains of one data set"):
            StarGANv2(16, 1, StarGANv2Settings(), sets)
