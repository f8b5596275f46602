"""What the tests of several processes train, alone or as a script that `torchrun` starts.

As a script: `together.py FOLDER` trains all that is to be compared, `together.py die` loses a
process on the way.
"""

import json
import os
import signal
import sys
import weakref
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import nn

from anomgan.config import TrainingSettings
from anomgan.errors import AnomganError
from anomgan.losses import r1_penalty
from anomgan.machine.distributed import process_group, rank, share
from anomgan.training.recipe import Recipe, Update
from anomgan.training.trainer import Trainer

SETTINGS = {"steps": 30, "batch_size": 8, "learning_rate": 1e-3}
FLOOR = 2.5
"""Loss below which the duel's critic sits out."""


class Duel(Recipe):
    """Batch norm, a penalty on gradients, a network of two players, one who sits out at times."""

    players = {"generator": ("encoder", "decoder"), "critic": ("encoder", "critic")}

    def __init__(self):
        torch.manual_seed(0)
        # A bias before batch norm has no effect: its gradient would be nothing but rounding.
        encoder = nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Tanh())
        hidden = nn.Linear(16, 4, bias=False)
        critic = nn.Sequential(hidden, nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
        decoder = nn.ConvTranspose2d(4, 1, 3)
        self.networks = nn.ModuleDict({"encoder": encoder, "decoder": decoder, "critic": critic})

    def step(self, x):
        net = self.networks
        error = (net["decoder"](net["encoder"](x)) - x).square().mean()
        yield Update("generator", error, {"error": error})
        values = self.judge(x)
        loss = (values - 1).square().mean() + r1_penalty(self.judge, x)
        yield Update("critic", loss, {"loss": loss}, floor=FLOOR)

    def judge(self, x):
        return self.networks["critic"](self.networks["encoder"](x).flatten(1))


class Line(Recipe):
    """What it does in one process must reach the others: it stops, or spoils its loss, there."""

    players = {"only": ("line",)}

    def __init__(self, at=None, deed=None):
        torch.manual_seed(0)
        self.networks = nn.ModuleDict({"line": nn.Linear(16, 1)})
        self.at, self.deed = at, deed

    def step(self, x):
        self.drawn = torch.rand(()).item()
        loss = (self.networks["line"](x.flatten(1)) - self.drawn).square().mean()
        if rank() == 1 and self.steps_done == self.at:
            if self.deed == "spoil":
                loss = loss * float("nan")
            else:
                os.kill(os.getpid(), self.deed)
        yield Update("only", loss, {"loss": loss})


def batches(step):
    generator = torch.Generator().manual_seed(step)
    return [torch.randint(0, 256, (8, 1, 4, 4), dtype=torch.uint8, generator=generator)]


def trainer(recipe, checkpoint=None, **settings):
    return Trainer(
        recipe,
        batches,
        TrainingSettings(**SETTINGS | settings),
        device=torch.device("cpu"),
        checkpoint=checkpoint,
    )


def gathered(value):
    """Of all processes."""
    values = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


def outcome(make):
    """What it gives, or its error in words, in all processes."""
    try:
        return gathered(make())
    except AnomganError as error:
        return gathered(str(error))


def main(folder):
    found = {}
    run = trainer(Duel(), folder / "duel")
    found["duel"] = run.run().history
    if rank() == 0:
        save_file(run.recipe.networks.state_dict(), folder / "duel.safetensors")
    drawing = Line()
    trainer(drawing).run()
    found["weights"] = gathered(drawing.networks["line"].weight.tolist())
    found["drawn"] = gathered(drawing.drawn)
    found["minutes"] = outcome(lambda: trainer(Line(), steps=10**9, minutes=0.005).run().steps)
    found["stopped"] = outcome(trainer(Line(3, signal.SIGINT), folder / "stopped").run)
    resumed = trainer(Line(), folder / "stopped")
    found["resumed"] = outcome(lambda: resumed.run(resume=True).steps)
    found["nan"] = outcome(trainer(Line(3, "spoil"), folder / "nan").run)
    found["odd"] = outcome(lambda: trainer(Line(), batch_size=9))
    labels = torch.tensor([[1.0, float("nan")], [0, 1]])[[0, 1, 1, 0, 1, 0, 0, 1] * 2]
    found["shares"] = gathered(share([torch.arange(16), labels], 2)[0].tolist())
    if rank() == 0:
        (folder / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with process_group():
        group = weakref.ref(dist.group.WORLD)
        if sys.argv[1] == "die":
            trainer(Line(3, signal.SIGKILL)).run()
        else:
            main(Path(sys.argv[1]))
    assert group() is None, "threads of a group that somebody still holds can crash the exit"
