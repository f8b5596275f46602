import os
import signal

import pytest
import torch
from torch import nn

from anomgan.config import TrainingSettings
from anomgan.errors import Interrupted, TrainingError
from anomgan.training.checkpoint import Checkpoint
from anomgan.training.recipe import Recipe, Update
from anomgan.training.trainer import Trainer

CPU = torch.device("cpu")


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
        yield Update("discriminator", watch, {"watch": watch}, apply=bool(x.mean() > 0))


def batches(step):
    generator = torch.Generator().manual_seed(step)
    return torch.randint(0, 256, (8, 1, 2, 2), dtype=torch.uint8, generator=generator)


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


def test_a_checkpoint_of_another_data_set_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trainer(path, facts={"images": "a", "settings": 1}, steps=2).run()
    with pytest.raises(TrainingError, match="other images;"):
        trainer(path, facts={"images": "b", "settings": 1}).run(resume=True)


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    trainer(path, steps=2).run()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TrainingError, match="checkpoint.safetensors is damaged"):
        trainer(path).run(resume=True)


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
    sat_out = []
    for step in range(20):
        run._step()
        watched.append(weights(run)["other.weight"])
        sat_out.append(bool(run._views(step).mean() <= 0))
    assert 0 < sum(sat_out) < 20
    unchanged = [torch.equal(*pair) for pair in zip(watched, watched[1:])]
    assert unchanged == sat_out
    assert run.state.history[0]["discriminator_trains"] == pytest.approx(1 - sum(sat_out) / 20)


def test_each_player_descends_only_its_own_weights():
    run = trainer(steps=1)
    run.run()
    assert run.optimizers["generator"].param_groups[0]["params"][0].grad is not None
    assert len(run.optimizers["discriminator"].param_groups[0]["params"]) == 2


def test_a_budget_in_minutes_ends_the_run():
    summary = trainer(steps=10**9, minutes=0.01).run()
    assert 0 < summary.steps < 10**9


def test_averaged_weights_work_in_evaluation_as_in_training():
    # Fast training moves the weights far within the average: old statistics would not fit.
    run = trainer(steps=60, ema=0.95, learning_rate=0.3)
    run.run()
    networks = run.recipe.networks
    inputs = torch.cat([run._views(step).flatten(1) for step in range(50)])
    outputs = []
    with torch.no_grad():
        for mode in (networks.train, networks.eval):
            mode()
            torch.manual_seed(0)
            noisy = inputs + torch.randn_like(inputs)
            outputs.append(networks["norm"](networks["linear"](noisy)))
    assert (outputs[0] - outputs[1]).abs().mean() < 0.1 * outputs[0].abs().mean()
