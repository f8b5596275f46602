import os
import signal

import pytest
import torch
from torch import nn

from anomgan.config import TrainingSettings
from anomgan.errors import Interrupted, TrainingError
from anomgan.generators.wgan_gp import WGANGP, WGANGPSettings
from anomgan.machine import progress
from anomgan.training.average import WeightAverage
from anomgan.training.checkpoint import Checkpoint
from anomgan.training.monitor import Monitor
from anomgan.training.recipe import Adam, Recipe, Update
from anomgan.training.trainer import Trainer

CPU = torch.device("cpu")
FLOOR = 0.35
"""Loss below which the toy's discriminator sits out."""


class Toy(Recipe):
    """Two players: a linear map with noise learns the mean, its opponent watches."""

    players = {"generator": ("linear", "norm"), "discriminator": ("other",)}

    def __init__(self, spoil_at=None, stop_at=None):
        torch.manual_seed(0)
        self.networks = nn.ModuleDict(
            {
                "linear": nn.Linear(4, 4),
                "norm": nn.BatchNorm1d(4),
                "other": nn.Linear(4, 1),
            }
        )
        self.spoil_at, self.stop_at, self.calls = spoil_at, stop_at, 0
        self.watched = []

    def step(self, x):
        flat = x.flatten(1)
        guess = self.networks["norm"](self.networks["linear"](flat + torch.randn_like(flat)))
        loss = (guess - flat).square().mean()
        self.calls += 1
        if self.calls == self.spoil_at:
            loss = loss * float("nan")
        if self.calls == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)
        yield Update("generator", loss, {"error": loss})
        watch = self.networks["other"](guess.detach()).square().mean()
        self.watched.append(watch.item())
        yield Update("discriminator", watch, {"watch": watch}, floor=FLOOR)


def batches(step):
    generator = torch.Generator().manual_seed(step)
    return [torch.randint(0, 256, (8, 1, 2, 2), dtype=torch.uint8, generator=generator)]


def trainer(path=None, toy=None, facts=None, **settings):
    values = {"steps": 50, "checkpoint_minutes": 1e-9} | settings
    return Trainer(
        toy or Toy(), batches, TrainingSettings(**values), device=CPU, checkpoint=path, facts=facts
    )


def weights(run):
    return {name: tensor.clone() for name, tensor in run.recipe.networks.state_dict().items()}


def assert_same(first, second):
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_same_seed_gives_the_same_weights():
    runs = [trainer(), trainer()]
    for run in runs:
        run.run()
    assert_same(*map(weights, runs))


@pytest.mark.parametrize("stopped_at", [1, 20, 33])
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_resumed_run_ends_like_one_that_was_never_stopped(tmp_path, stopped_at, ema):
    whole = trainer(ema=ema)
    expected = whole.run()
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Interrupted, match="--resume"):
        trainer(path, Toy(stop_at=stopped_at), ema=ema).run()
    resumed = trainer(path, ema=ema)
    summary = resumed.run(resume=True)
    assert_same(weights(whole), weights(resumed))
    assert summary.history == expected.history
    assert summary.steps == 50


def test_losses_are_shown_and_nothing_else(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0)
    trainer(steps=20, ema=0.0).run()
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.split()[:5] == ["training:", "20", "of", "20", "error"]
    assert last.split()[6] == "watch" and len(last.split()) == 8


def test_a_run_without_a_checkpoint_promises_none():
    with pytest.raises(Interrupted, match="^stopped after step 3; no checkpoint is kept$"):
        trainer(None, Toy(stop_at=3)).run()


def test_a_checkpoint_of_another_data_set_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trainer(path, facts={"images": "a", "settings": 1}, steps=2).run()
    with pytest.raises(TrainingError, match="other images;"):
        trainer(path, facts={"images": "b", "settings": 1}).run(resume=True)


def test_a_checkpoint_of_other_networks_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trainer(path, steps=3).run()
    saved = Checkpoint.load(path)
    del saved.tensors["networks/other.bias"]
    saved.save(path)
    with pytest.raises(TrainingError, match="another version of anomgan.*delete it"):
        trainer(path, steps=6).run(resume=True)


def measured(path=None, values=(3.0, 1.0, 2.0, 1.5), **settings):
    """A trainer that measures every ten steps, and is told the quality."""
    run, given = trainer(path, **settings), iter(values)

    def measure():
        assert not run.recipe.networks.training
        return {"kid": next(given), "other": 0.5}

    run.monitor = Monitor(measure=measure, measure_every=10)
    return run


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_best_weights_are_kept_and_measuring_changes_nothing(ema):
    run, plain = measured(steps=45, ema=ema), trainer(steps=45, ema=ema)
    summary, other = run.run(), plain.run()
    assert_same(weights(run), weights(plain))
    assert [row["kid"] for row in summary.history if "kid" in row] == [3.0, 1.0, 2.0, 1.5]
    assert [row["step"] for row in summary.history if "kid" in row] == [10, 20, 30, 40]
    assert [row["error"] for row in summary.history if "error" in row] == [
        row["error"] for row in other.history
    ]
    at_twenty = trainer(steps=20, ema=ema)
    at_twenty.run()
    for name, tensor in at_twenty.recipe.networks.state_dict().items():
        if "num_batches" not in name:
            assert torch.allclose(summary.best[name], tensor, atol=1e-6), name
    assert other.best == {}


def test_a_resumed_run_remembers_the_best_weights(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    first = measured(path, steps=25).run()
    rest = measured(path, values=(2.0, 1.5), steps=45).run(resume=True)
    assert first.best.keys() == rest.best.keys()
    assert_same(first.best, rest.best)
    better = measured(path, values=(0.5,), steps=50).run(resume=True)
    assert not all(torch.equal(better.best[name], first.best[name]) for name in first.best)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trainer(path, steps=2).run()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TrainingError, match="checkpoint.safetensors is damaged"):
        trainer(path).run(resume=True)


def test_a_flipped_byte_in_a_checkpoint_is_refused(tmp_path, rng):
    path = tmp_path / "checkpoint.safetensors"
    trainer(path, steps=2).run()
    whole = path.read_bytes()
    for at in rng.integers(len(whole), size=40):
        flipped = bytearray(whole)
        flipped[at] ^= int(rng.integers(1, 256))
        path.write_bytes(flipped)
        with pytest.raises(TrainingError, match="checkpoint.safetensors is damaged"):
            Checkpoint.load(path)


def test_a_loss_that_turns_nan_keeps_the_last_good_checkpoint(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(TrainingError, match="nan at step 8.*--resume --steps 7"):
        trainer(path, Toy(spoil_at=8)).run()
    kept = Checkpoint.load(path)
    assert kept.step == 7
    assert all(torch.isfinite(t).all() for t in kept.tensors.values())
    finished = trainer(path, steps=7)
    assert finished.run(resume=True).steps == 7


def test_nan_before_any_checkpoint_says_so(tmp_path):
    late = trainer(tmp_path / "c.safetensors", Toy(spoil_at=3), checkpoint_minutes=60)
    with pytest.raises(TrainingError, match="No checkpoint"):
        late.run()


def test_a_player_that_sits_out_keeps_its_weights_and_is_recorded():
    run = trainer(steps=20, ema=0.0)
    watched = [weights(run)["other.weight"]]
    for _ in range(20):
        run._step()
        watched.append(weights(run)["other.weight"])
    sat_out = [loss <= FLOOR for loss in run.recipe.watched]
    assert 0 < sum(sat_out) < 20
    unchanged = [torch.equal(*pair) for pair in zip(watched, watched[1:])]
    assert unchanged == sat_out
    assert run.state.history[0]["discriminator_trains"] == pytest.approx(1 - sum(sat_out) / 20)


def test_each_player_descends_only_its_own_weights():
    run = trainer(steps=1)
    other, reached = run.recipe.networks["other"].weight, []
    run.optimizers["linear"].register_step_pre_hook(lambda *_: reached.append(other.grad))
    run.run()
    assert reached == [None]
    assert len(run.optimizers["other"].param_groups[0]["params"]) == 2
    assert all(weight.grad is None for weight in run.recipe.networks.parameters())


def test_a_budget_in_minutes_ends_the_run():
    summary = trainer(steps=10**9, minutes=0.01).run()
    assert 0 < summary.steps < 10**9


def test_averaged_weights_work_in_evaluation_as_in_training():
    # Fast training moves the weights far within the average: old statistics would not fit.
    run = trainer(steps=60, ema=0.95, learning_rate=0.3)
    run.run()
    networks = run.recipe.networks
    inputs = torch.cat([run._batch(step)[0].flatten(1) for step in range(50)])
    outputs = []
    with torch.no_grad():
        for mode in (networks.train, networks.eval):
            mode()
            torch.manual_seed(0)
            noisy = inputs + torch.randn_like(inputs)
            outputs.append(networks["norm"](networks["linear"](noisy)))
    assert (outputs[0] - outputs[1]).abs().mean() < 0.1 * outputs[0].abs().mean()


class Plain(Recipe):
    """Two players who share a network; no noise and no batch norm."""

    players = {"generator": ("shared",), "discriminator": ("shared", "own")}
    rates = {"own": 0.1}

    def __init__(self):
        torch.manual_seed(0)
        self.networks = nn.ModuleDict({"shared": nn.Linear(4, 4), "own": nn.Linear(4, 1)})

    def step(self, x):
        for player, loss in self.losses(x):
            yield Update(player, loss, {player: loss})

    def losses(self, x):
        shared, own = self.networks["shared"], self.networks["own"]
        yield "generator", (shared(x.flatten(1)) - 1).square().mean()
        yield "discriminator", own(shared(x.flatten(1))).square().mean()


class Slope(Recipe):
    """A gradient that never changes: every step of Adam is as long as its step size."""

    players = {"generator": ("line",)}
    optimiser = Adam(0.1)

    def __init__(self):
        self.networks = nn.ModuleDict({"line": nn.Linear(1, 1, bias=False)})

    def step(self, x):
        loss = self.networks["line"].weight.sum()
        yield Update("generator", loss)


class Remembering(Toy):
    """What it has seen moves what it learns."""

    def __init__(self, **values):
        super().__init__(**values)
        self.memory = nn.Module()
        self.memory.register_buffer("seen", torch.zeros(4))

    def step(self, x):
        self.memory.seen += x.flatten(1).mean(0)
        yield from super().step(x + self.memory.seen.view(1, 1, 2, 2))


def test_two_players_of_one_network_share_its_optimiser_and_each_network_has_its_rate():
    run = trainer(toy=Plain(), steps=5, ema=0.0)
    run.run()
    by_hand = Plain()
    shared = torch.optim.Adam(by_hand.networks["shared"].parameters(), 2e-4, (0.5, 0.999))
    own = torch.optim.Adam(by_hand.networks["own"].parameters(), 2e-5, (0.5, 0.999))
    for step in range(5):
        for player, loss in by_hand.losses(run._batch(step)[0]):
            by_hand.networks.zero_grad()
            loss.backward()
            shared.step()
            if player == "discriminator":
                own.step()
    assert set(run.optimizers) == {"shared", "own"}
    expected = by_hand.networks.state_dict()
    for name, weight in weights(run).items():
        assert torch.allclose(weight, expected[name], rtol=0, atol=1e-7), name


@pytest.mark.parametrize(
    ("decay_from", "expected"),
    [
        (1.0, [1] * 10),
        (0.6, [1] * 7 + [0.75, 0.5, 0.25]),
        (0.0, [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
    ],
)
def test_the_step_size_falls_to_0_along_a_line_where_it_is_to(decay_from, expected):
    run = trainer(toy=Slope(), steps=10, ema=0.0, decay_from=decay_from)
    places = [run.recipe.networks["line"].weight.item()]
    for _ in range(10):
        run._step()
        places.append(run.recipe.networks["line"].weight.item())
    steps = [before - after for before, after in zip(places, places[1:])]
    assert steps == pytest.approx([0.1 * share for share in expected], abs=1e-5)


@pytest.mark.parametrize("kind", [Toy, Remembering])
def test_a_resumed_run_has_its_step_size_and_its_memory(tmp_path, kind):
    settings = {"decay_from": 0.5, "ema": 0.0}
    whole = trainer(toy=kind(), **settings)
    whole.run()
    path = tmp_path / "checkpoint.safetensors"
    with pytest.raises(Interrupted):
        trainer(path, kind(stop_at=33), **settings).run()
    resumed = trainer(path, kind(), **settings)
    resumed.run(resume=True)
    assert_same(weights(whole), weights(resumed))
    assert_same(whole.recipe.memory.state_dict(), resumed.recipe.memory.state_dict())
    assert not any("seen" in name for name in weights(whole)), "not part of the model"


def test_mixed_precision_learns_about_the_same_in_float32_weights():
    runs = [trainer(precision=name, learning_rate=0.03) for name in ("float32", "bfloat16")]
    histories = [run.run().history for run in runs]
    for run in runs:
        assert {weight.dtype for weight in weights(run).values()} <= {torch.float32, torch.int64}
    (first, *_, last), mixed = histories
    assert mixed[-1]["error"] == pytest.approx(last["error"], rel=0.05)
    assert mixed[-1]["error"] < 0.8 * first["error"]
    full, half = (weights(run)["linear.weight"] for run in runs)
    assert not torch.equal(full, half), "it was in force"


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_look_at_the_averaged_weights_changes_nothing(ema):
    run, seen = Toy(), {}

    def show(step):
        seen[step] = {name: t.clone() for name, t in run.networks.state_dict().items()}
        assert not any(network.training for network in run.networks.modules())
        run.networks["norm"](torch.randn(8, 4))

    settings = TrainingSettings(steps=40, ema=ema)
    looked = Trainer(run, batches, settings, device=CPU, monitor=Monitor(show, 20))
    looked.run()
    unseen = trainer(steps=40, ema=ema)
    unseen.run()
    assert_same(weights(looked), weights(unseen))
    assert list(seen) == [20, 40]
    assert torch.equal(seen[40]["linear.weight"], weights(looked)["linear.weight"])
    assert not torch.equal(seen[20]["linear.weight"], seen[40]["linear.weight"])


def test_batch_norms_are_measured_on_50_batches_however_many_a_step_takes():
    gan = WGANGP(8, 1, WGANGPSettings(latent_dim=2, features=2, critic_steps=5))
    seen = []
    WeightAverage(gan, 0.9).settle(seen.append)
    assert seen == list(range(10))
