import json
import subprocess
import sys

import pytest
import torch
from conftest import ROOT
from safetensors.torch import load_file
from together import Duel, trainer

TORCHRUN = [
    sys.executable,
    "-m",
    "torch.distributed.run",
    "--standalone",
    "--nproc-per-node",
    "2",
    str(ROOT / "tests" / "together.py"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes leave behind."""
    folder = tmp_path_factory.mktemp("together")
    done = subprocess.run([*TORCHRUN, folder], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder):
    """What two processes have to tell."""
    return json.loads((folder / "found.json").read_text())


def test_two_processes_learn_what_one_learns(folder, found):
    alone = trainer(Duel())
    history = alone.run().history
    for row, other in zip(history, found["duel"], strict=True):
        assert other == pytest.approx(row, rel=1e-4)
    assert 0 < history[0]["critic_trains"] < 1, "whether it sits out is decided together"
    weights = alone.recipe.networks.state_dict()
    together = load_file(folder / "duel.safetensors")
    assert list(sorted(weights)) == list(sorted(together)), "as model files have them"
    for name, weight in weights.items():
        assert torch.allclose(weight, together[name], rtol=1e-3, atol=1e-4), name


def test_each_process_draws_for_itself_and_all_have_the_same_weights(found):
    assert found["drawn"][0] != found["drawn"][1]
    assert found["weights"][0] == found["weights"][1]


def test_all_stop_after_the_same_step(found):
    first, second = found["minutes"]
    assert first == second > 0
    first, second = found["stopped"]
    assert "after step 4; to continue, run the same command with --resume" in first
    assert "process 0 says how to go on" in second
    assert found["resumed"] == [30, 30]


def test_a_loss_that_is_not_finite_in_one_process_ends_all_and_keeps_the_checkpoint(found):
    first, second = found["nan"]
    assert "the loss of the only is nan at step 4" in first and "No checkpoint" in first
    assert "the loss of the only is nan at step 4" in second


def test_a_batch_that_cannot_be_divided_is_refused(found):
    assert all("must be a multiple of 2" in said for said in found["odd"])


def test_each_process_has_as_many_views_of_each_label_in_every_joined_batch(found):
    labels = [0, 1, 1, 0, 1, 0, 0, 1] * 2
    first, second = found["shares"]
    assert sorted(first + second) == list(range(16))
    for places in (first, second):
        assert [labels[place] for place in places] == [1, 1, 0, 0] * 2
        assert [place < 8 for place in places] == [True] * 4 + [False] * 4


def test_a_process_that_dies_ends_the_others_who_say_so():
    done = subprocess.run([*TORCHRUN, "die"], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "another process of this training has ended" in done.stderr
