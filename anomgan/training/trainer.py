"""The loop: optimiser steps, averages, checkpoints, the guard against NaN, progress, stopping."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from anomgan.config import TrainingSettings
from anomgan.errors import Interrupted, TrainingError
from anomgan.training.checkpoint import (
    Checkpoint,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    unprefixed,
)
from anomgan.training.progress import progress_bar
from anomgan.training.recipe import Recipe, RMSProp, Update
from anomgan.training.stopping import stop_signal

LOG_EVERY = 20
"""Steps whose mean makes one row of the history."""
SETTLE_STEPS = 50
"""Batches on which the batch-norm statistics of averaged weights are measured."""

Batches = Callable[[int], Tensor]
"""The batch of a step: uint8 views [N, C, H, W], the same for the same step."""


@dataclass
class TrainingSummary:
    """What a finished run did.

    Attributes:
        steps: steps done, over all resumed parts.
        seconds: time spent, over all resumed parts.
        history: rows of mean losses; `step` names the last step of each row.
    """

    steps: int
    seconds: float
    history: list[dict[str, float]]


class Trainer:
    """Trains one recipe; the networks of the recipe hold the averaged weights afterwards.

    All randomness of a step is seeded by (seed, step), so that a resumed run needs no random
    state and ends, on a CPU, with the same weights as one that was never stopped.

    Args:
        recipe: the method; its networks are moved to `device`.
        batches: gives the batch of a step.
        settings: steps, learning rate and the like.
        device: where to train.
        seed: base of all randomness.
        checkpoint: file for checkpoints; None for none.
        facts: JSON-able description of data and settings, which a resumed run must share.
    """

    def __init__(
        self,
        recipe: Recipe,
        batches: Batches,
        settings: TrainingSettings,
        *,
        device: torch.device,
        seed: int = 0,
        checkpoint: Path | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        self.recipe = recipe
        self.batches = batches
        self.settings = settings
        self.device = device
        self.seed = seed
        self.checkpoint = checkpoint
        self.state = Checkpoint(step=0, seconds=0.0, facts=facts or {})
        # Convolutions of few feature maps are a quarter faster this way, on a CPU too.
        recipe.networks.to(device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(recipe.networks) if settings.ema else None
        self.optimizers = {name: self._optimizer(parts) for name, parts in recipe.players.items()}
        self.recent: list[dict[str, Tensor]] = []

    def run(self, title: str = "training", resume: bool = False) -> TrainingSummary:
        """Train until the budget is used up.

        Raises:
            TrainingError: a loss is not finite, or the checkpoint to resume from does not fit.
            Interrupted: the user pressed Ctrl-C; a checkpoint is saved first.
        """
        if resume and self.checkpoint and self.checkpoint.exists():
            self._restore(Checkpoint.load(self.checkpoint))
        began = time.monotonic() - self.state.seconds
        saved = time.monotonic()
        with stop_signal() as stop, progress_bar(title, self.settings.steps) as report:
            while self.state.step < self.settings.steps and not self._out_of_time():
                self._step()
                self.state.seconds = time.monotonic() - began
                report(self.state.step, self.state.history[-1] if self.state.history else {})
                if stop.is_set():
                    self._save()
                    raise Interrupted(self._how_to_go_on("stopped"))
                if time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
        self._log_row()
        self._save()
        if self.average is not None:
            self._settle_average()
        return TrainingSummary(self.state.step, self.state.seconds, self.state.history)

    def _optimizer(self, names: tuple[str, ...]) -> optim.Optimizer:
        weights = [p for name in names for p in self.recipe.networks[name].parameters()]
        own, settings = self.recipe.optimiser, self.settings
        rate = settings.learning_rate if settings.learning_rate is not None else own.learning_rate
        if isinstance(own, RMSProp):
            return optim.RMSprop(weights, rate)
        beta1 = settings.beta1 if settings.beta1 is not None else own.beta1
        beta2 = settings.beta2 if settings.beta2 is not None else own.beta2
        return optim.Adam(weights, rate, (beta1, beta2))

    def _out_of_time(self) -> bool:
        minutes = self.settings.minutes
        return minutes is not None and self.state.seconds >= 60 * minutes

    def _step(self) -> None:
        terms: dict[str, Tensor] = {}
        self.recipe.steps_done = self.state.step
        for update in self.recipe.step(self._views(self.state.step)):
            self._descend(update)
            terms |= {name: term.detach() for name, term in update.terms.items()}
            terms[f"{update.player}_trains"] = torch.tensor(float(update.apply))
        if self.average is not None:
            # Until it has seen enough steps, a slow average would still hold the first weights.
            decay = min(self.settings.ema, (1 + self.state.step) / (10 + self.state.step))
            _move_average(self.average, self.recipe.networks, decay)
        self.state.step += 1
        self.recent.append(terms)
        if len(self.recent) == LOG_EVERY:
            self._log_row()

    def _descend(self, update: Update) -> None:
        if not torch.isfinite(update.loss):
            raise TrainingError(
                self._how_to_go_on(
                    f"the loss of the {update.player} is {update.loss.item()} at step "
                    f"{self.state.step + 1}; a lower training.learning_rate often helps.",
                    saves=False,
                )
            )
        if not update.apply:
            return
        optimizer = self.optimizers[update.player]
        optimizer.zero_grad(set_to_none=True)
        # Only this player's weights: gradients for its opponent would be computed for nothing.
        weights = [p for group in optimizer.param_groups for p in group["params"]]
        update.loss.backward(inputs=weights)
        optimizer.step()

    def _settle_average(self) -> None:
        """Give the recipe the averaged weights, and measure their batch-norm statistics anew.

        The statistics gathered in training belong to the weights of single steps; the averaged
        weights give smaller activations, and would rebuild nothing but grey with them.
        """
        networks = self.recipe.networks
        networks.load_state_dict(self.average.state_dict())
        for layer in networks.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.reset_running_stats()
                layer.momentum = None
        with torch.no_grad():
            for step in range(SETTLE_STEPS):
                for _ in self.recipe.step(self._views(step)):
                    pass

    def _views(self, step: int) -> Tensor:
        torch.manual_seed(self.seed * 1_000_003 + step)
        return self.batches(step).to(self.device).float() / 127.5 - 1

    def _log_row(self) -> None:
        if not self.recent:
            return
        names = sorted({name for terms in self.recent for name in terms})
        means = {
            name: torch.stack([t[name] for t in self.recent if name in t]).mean().item()
            for name in names
        }
        self.state.history.append({"step": self.state.step, **means})
        self.recent.clear()

    def _save(self) -> None:
        if self.checkpoint is None or not _all_finite(self.recipe.networks):
            return
        tensors = prefixed("networks", self.recipe.networks.state_dict())
        if self.average is not None:
            tensors |= prefixed("average", self.average.state_dict())
        for name, optimizer in self.optimizers.items():
            tensors |= prefixed(f"optimizer.{name}", optimizer_tensors(optimizer))
        # Rows are means of LOG_EVERY steps; steps since the last row would be lost on a resume.
        for index, terms in enumerate(self.recent):
            tensors |= prefixed(f"recent.{index}", terms)
        self.state.tensors = tensors
        self.state.save(self.checkpoint)

    def _restore(self, saved: Checkpoint) -> None:
        if saved.facts != self.state.facts:
            changed = [k for k in self.state.facts if saved.facts.get(k) != self.state.facts[k]]
            raise TrainingError(
                f"cannot resume from {self.checkpoint}: it was made with other "
                f"{' and '.join(changed)}; use the same, or fit without --resume to start anew"
            )
        self.recipe.networks.load_state_dict(unprefixed("networks", saved.tensors))
        if self.average is not None:
            self.average.load_state_dict(unprefixed("average", saved.tensors))
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, unprefixed(f"optimizer.{name}", saved.tensors))
        while terms := unprefixed(f"recent.{len(self.recent)}", saved.tensors):
            self.recent.append(terms)
        self.state = saved

    def _how_to_go_on(self, problem: str, saves: bool = True) -> str:
        if self.checkpoint is None or not (saves or self.checkpoint.exists()):
            return f"{problem} No checkpoint was saved yet."
        if saves:
            return f"{problem} after step {self.state.step}; the same command with --resume goes on"
        step = Checkpoint.load(self.checkpoint).step
        return (
            f"{problem} The last good checkpoint is kept: --resume --steps {step} makes a model "
            f"of it"
        )


def _move_average(average: nn.Module, networks: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for mean, current in zip(
            average.state_dict().values(), networks.state_dict().values(), strict=True
        ):
            if mean.is_floating_point():
                mean.lerp_(current, 1 - decay)
            else:
                mean.copy_(current)


def _all_finite(networks: nn.Module) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in networks.state_dict().values())
