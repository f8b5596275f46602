import pytest
import torch
import torch.nn.functional as F

from anomgan.data.labels import LabelSet
from anomgan.errors import SettingsError
from anomgan.generators.cyclegan import CycleGAN, CycleGANSettings, Pool

DOMAINS = LabelSet(("a", "b"), exclusive=True)
SIDES = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
"""Labels of a batch: the first and the last image are of domain A."""


def make(sets=(DOMAINS,), size=16, **settings):
    torch.manual_seed(0)
    values = {"features": 2, "blocks": 1, "patch_layers": 1, "pool": 4} | settings
    return CycleGAN(size, 1, CycleGANSettings(**values), sets)


def test_the_translators_are_updated_first_and_then_the_discriminators():
    gan = make()
    updates = gan.step(torch.randn(4, 1, 16, 16), SIDES)
    assert [update.player for update in updates] == ["generator", "discriminator"]
    assert gan.players["generator"] == ("a_to_b", "b_to_a")
    assert gan.players["discriminator"] == ("discriminator_a", "discriminator_b")


@pytest.mark.parametrize("identity", [0.0, 0.5])
def test_the_objective_is_that_of_the_paper(identity):
    gan = make(cycle=7.0, identity=identity)
    x = torch.rand(4, 1, 16, 16) * 2 - 1
    a, b = x[[0, 3]], x[[1, 2]]
    there, back = gan.networks["a_to_b"], gan.networks["b_to_a"]
    judge_a, judge_b = gan.networks["discriminator_a"], gan.networks["discriminator_b"]
    update, judged = list(gan.step(x, SIDES))

    adversarial = (judge_b(there(a)) - 1).square().mean() + (judge_a(back(b)) - 1).square().mean()
    cycle = F.l1_loss(back(there(a)), a) + F.l1_loss(there(back(b)), b)
    same = F.l1_loss(there(b), b) + F.l1_loss(back(a), a)
    expected = adversarial + 7 * cycle + 7 * identity * same
    assert update.loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert update.terms["cycle"].item() == pytest.approx(cycle.item(), rel=1e-5)
    assert ("identity" in update.terms) == bool(identity)

    # The pool is still being filled and gives back what it is given. Each is halved (section 7.1).
    halves = [
        ((judge(real) - 1).square().mean() + judge(fake).square().mean()) / 2
        for judge, real, fake in ((judge_a, a, back(b)), (judge_b, b, there(a)))
    ]
    assert judged.loss.item() == pytest.approx(sum(halves).item(), rel=1e-5)


def test_discriminators_are_shown_fakes_of_their_own_domain_from_the_pool():
    gan = make(pool=2)
    x = torch.rand(4, 1, 16, 16) * 2 - 1
    list(gan.step(x, SIDES))
    fakes = {"fakes_a": gan.networks["b_to_a"](x[1:3]), "fakes_b": gan.networks["a_to_b"](x[::3])}
    for name, expected in fakes.items():
        assert torch.allclose(gan.memory[name].images, expected, atol=1e-6)
    seen = []
    judge = gan.networks["discriminator_a"]
    judge.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    kept = gan.memory["fakes_a"].images.clone()
    for _ in range(20):
        list(gan.step(torch.rand(4, 1, 16, 16) * 2 - 1, SIDES))
        past = seen[-1]
        assert not past.requires_grad
        old = [any(torch.equal(image, one) for one in kept) for image in past]
        if any(old):
            break
    assert any(old), "sooner or later an old one is shown"


def numbered(*numbers):
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def test_the_pool_is_filled_first_and_then_about_half_are_old_ones():
    torch.manual_seed(0)
    pool = Pool(50, 1, 2, 2)
    for first in range(0, 50, 5):
        fakes = numbered(*range(first, first + 5))
        assert torch.equal(pool(fakes), fakes)
    shown = torch.cat([pool(numbered(number)) for number in range(50, 1050)])[:, 0, 0, 0]
    fresh = shown == torch.arange(50, 1050)
    assert 420 < fresh.sum() < 580
    old = shown[~fresh].tolist()
    assert len(set(old)) == len(old), "an image that was shown has made room for a new one"
    kept = pool.images[:, 0, 0, 0].tolist()
    assert set(old).isdisjoint(kept)
    assert set(old) | set(kept) | set(shown.tolist()) == set(range(1050)), "none is lost"


def test_the_pool_comes_back_from_its_state():
    torch.manual_seed(0)
    pool, again = Pool(4, 1, 2, 2), Pool(4, 1, 2, 2)
    pool(numbered(*range(3)))
    again.load_state_dict(pool.state_dict())
    results = []
    for one in (pool, again):
        torch.manual_seed(1)
        results.append(one(numbered(*range(10, 30))))
    assert torch.equal(*results) and not torch.equal(results[0], numbered(*range(10, 30)))


def test_each_image_goes_to_the_domain_that_is_asked_for():
    gan = make()
    x = torch.rand(4, 1, 16, 16)
    with torch.no_grad():
        y = gan.translate(x, SIDES)
        expected = gan.networks["b_to_a"](x), gan.networks["a_to_b"](x)
    for row, domain in enumerate(SIDES.argmax(1)):
        assert torch.allclose(y[row], expected[domain][row], atol=1e-5)


def test_what_it_cannot_learn_is_explained():
    three = LabelSet(("a", "b", "c"), exclusive=True)
    with pytest.raises(SettingsError, match="2 domains, not 3; for more, stargan"):
        make((three,))
    for sets in ((DOMAINS, DOMAINS), (LabelSet(("old", "tall"), exclusive=False),)):
        with pytest.raises(SettingsError, match="learns domains of one data set"):
            make(sets)
    with pytest.raises(SettingsError, match="patch_layers = 3 halves views of 16 pixels too often"):
        make(patch_layers=3)
    with pytest.raises(SettingsError, match="view.size = 18: must be a multiple of 4"):
        make(size=18)
    assert make(size=20), "but no power of two"
