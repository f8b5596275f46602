"""The training loop: optimiser steps, checkpoints, a check for NaN, progress, stopping.

Several processes can share the work: see `distributed`.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn, optim

from anomgan.config import TrainingSettings
from anomgan.data.views import scaled
from anomgan.errors import Interrupted, TrainingError
from anomgan.machine.device import has_bfloat16
from anomgan.machine.distributed import (
    average_,
    check_batch_size,
    from_first,
    largest,
    rank,
    ranks,
)
from anomgan.machine.progress import progress_bar
from anomgan.machine.stopping import stop_signal
from anomgan.training.average import WeightAverage
from anomgan.training.batch_norm import share_batch_norms
from anomgan.training.batches import Batches, BatchReader
from anomgan.training.checkpoint import (
    Checkpoint,
    optimizer_tensors,
    prefixed,
    restore_optimizer,
    unprefixed,
)
from anomgan.training.frozen import training_mode
from anomgan.training.hard import with_hardest
from anomgan.training.monitor import Monitor
from anomgan.training.optimizers import make_optimizers, set_rates
from anomgan.training.recipe import Recipe, Update

LOG = logging.getLogger("anomgan.training")
"""Where the first process logs the figures of every row, for whoever listens, at level INFO."""
LOG_EVERY = 20
"""Steps that are averaged in one row of the history."""
RANK_APART = 2_654_435_761
"""Difference between the seeds of two processes; it spreads over the 32 bits of a seed."""


@dataclass
class TrainingSummary:
    """A summary of a finished run.

    Attributes:
        steps: number of steps, over all resumed parts.
        seconds: training time, over all resumed parts.
        history: rows of mean losses; `step` is the last step of each row.
        best: averaged weights with the lowest measured figure; empty if nothing was measured.
    """

    steps: int
    seconds: float
    history: list[dict[str, float]]
    best: dict[str, Tensor]


class Trainer:
    """Trains one recipe. Afterwards, the networks of the recipe hold the averaged weights.

    All randomness of a step is seeded by (seed, step). So a resumed run needs no random state and
    ends, on a CPU, with the same weights as a run that was never stopped.

    Several processes learn the same as one process from the same batches, except for rounding. Each
    has its share of a batch; gradients, batch-norm statistics and logged losses are averaged over
    all shares. Each process draws its own random numbers in a recipe, so a recipe that draws some
    learns equally well, but not exactly the same. A recipe's own batch statistics are those of one
    share.

    Args:
        recipe: the method; its networks are moved to `device`.
        batches: gives the batch of a step.
        settings: steps, learning rate and so on.
        device: where to train.
        seed: base of all randomness.
        checkpoint: file for checkpoints, written by the first process; None for no checkpoints.
        facts: JSON-able description of data and settings, which a resumed run must share.
        monitor: what to do between steps; None for nothing.

    Raises:
        SettingsError: the batch cannot be divided among the processes.
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
        monitor: Monitor | None = None,
    ) -> None:
        self.recipe = recipe
        self.reader = BatchReader(batches, recipe.batches_per_step)
        self.settings = settings
        self.device = device
        self.seed = seed
        self.checkpoint = checkpoint if rank() == 0 else None
        self.monitor = monitor or Monitor()
        self.figures: Mapping[str, float] = {}
        self.lowest = math.inf
        self.best: dict[str, Tensor] = {}
        self.state = Checkpoint(step=0, seconds=0.0, facts=facts or {})
        self.title = "training"
        precision = settings.precision
        self.mixed = precision == "bfloat16" or (precision == "auto" and has_bfloat16(device))
        check_batch_size(settings.batch_size)
        # Convolutions with few feature maps are a quarter faster this way, also on a CPU.
        recipe.networks.to(device).to(memory_format=torch.channels_last)
        recipe.memory.to(device)
        if ranks() > 1:
            share_batch_norms(recipe.networks)
        training_mode(recipe.networks)
        self.average = WeightAverage(recipe, settings.ema)
        self.optimizers = make_optimizers(recipe, settings)
        self.recent: list[dict[str, Tensor]] = []

    def run(self, title: str = "training", resume: bool = False) -> TrainingSummary:
        """Train until the budget is used up.

        Raises:
            TrainingError: a loss is not finite, the checkpoint does not match this run, or another
                process has ended.
            Interrupted: the user pressed Ctrl-C; a checkpoint is saved first.
        """
        self.title = title
        self._begin(resume)
        began = time.monotonic() - self.state.seconds
        saved = time.monotonic()
        with (
            stop_signal() as stop,
            progress_bar(title, self.settings.steps) as report,
            self.reader.ahead(),
        ):
            while self.state.step < self.settings.steps and not self._out_of_time():
                self._step()
                # All processes stop after the same step; otherwise some would wait for the others.
                stopped, self.state.seconds = largest(stop.is_set(), time.monotonic() - began)
                latest = self.state.history[-1] if self.state.history else {}
                losses = {n: v for n, v in latest.items() if not n.endswith(("step", "_trains"))}
                report(self.state.step, {**self.figures, **losses})
                if stopped:
                    self._save()
                    raise Interrupted(self._why_stopped())
                if time.monotonic() - saved > 60 * self.settings.checkpoint_minutes:
                    self._save()
                    saved = time.monotonic()
        self._log_row()
        self._save()
        self.average.settle(self._pass)
        state = self.state
        return TrainingSummary(state.step, state.seconds, state.history, self.best)

    def _begin(self, resume: bool) -> None:
        """Start at the same step as the first process, the only one with the checkpoint."""
        facts = self.state.facts
        if from_first(lambda: facts) != facts:
            raise TrainingError(
                f"process {rank()} has other images or settings than process 0; all need the same"
            )

        def load() -> Checkpoint | None:
            if not resume or self.checkpoint is None or not self.checkpoint.exists():
                return None
            return Checkpoint.load(self.checkpoint)

        saved = from_first(load)
        if saved is not None:
            self._restore(saved)

    def _out_of_time(self) -> bool:
        minutes = self.settings.minutes
        return minutes is not None and self.state.seconds >= 60 * minutes

    def _step(self) -> None:
        self.recipe.steps_done, self.recipe.share_done = self.state.step, self._share_done()
        set_rates(self.optimizers.values(), self.recipe.share_done, self.settings.decay_from)
        terms: dict[str, list[Tensor]] = defaultdict(list)
        for update, learnt in self._updates():
            for name, term in update.terms.items():
                terms[name].append(term.detach().float())
            trains = torch.tensor(float(learnt), device=self.device)
            terms[f"{update.player}_trains"].append(trains)
        means = {name: torch.stack(some).mean() for name, some in terms.items()}
        buffers = [one for one in self.recipe.networks.buffers() if one.is_floating_point()]
        average_([*means.values(), *buffers])
        self.average.update(self.state.step)
        self.state.step += 1
        self.recent.append(means)
        if len(self.recent) == LOG_EVERY:
            self._log_row()
        show_every, measure_every = self.monitor.show_every, self.monitor.measure_every
        if show_every and self.state.step % show_every == 0 and rank() == 0:
            with self.average.lent():
                self.monitor.show(self.state.step)
        if measure_every and self.state.step % measure_every == 0:
            self._measure()

    def _measure(self) -> None:
        """Measure the averaged weights, and keep them if they are the best so far."""
        with self.average.settled(self._pass):
            if rank() > 0:  # it took part in measuring the batch-norm statistics
                return
            self.figures = dict(self.monitor.measure())
            value = next(iter(self.figures.values()))
            if value < self.lowest:
                weights = self.recipe.networks.state_dict()
                self.lowest = value
                self.best = {name: t.detach().cpu().clone() for name, t in weights.items()}
        if self.recent or not self.state.history:
            self.state.history.append({"step": self.state.step})
        self.state.history[-1].update(self.figures)

    def _share_done(self) -> float:
        share = self.state.step / self.settings.steps
        if self.settings.minutes:
            share = max(share, self.state.seconds / (60 * self.settings.minutes))
        return min(1.0, share)

    def _updates(self) -> Iterator[tuple[Update, bool]]:
        """Run one step of the recipe; yields each update, and whether the player was trained."""
        self._seed_step(self.state.step)
        running = self.recipe.step(*self._batch(self.state.step))
        while True:
            with self._precision():
                update = next(running, None)
            if update is None:
                return
            learns = self._learns(update)
            if learns:
                self._learn(update)
            yield update, learns

    def _seed_step(self, step: int) -> None:
        """Seed the random numbers of a step, differently in each process."""
        torch.manual_seed(self.seed * 1_000_003 + step + rank() * RANK_APART)

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    def _learns(self, update: Update) -> bool:
        """Whether the loss, averaged over all processes, is above the floor; it must be finite.

        A player that is frozen does not learn.
        """
        mean = update.loss.detach().clone()
        average_([mean])
        if torch.isfinite(mean):
            trained = any(name in self.optimizers for name in self.recipe.players[update.player])
            return trained and mean.item() > update.floor
        raise TrainingError(
            f"the loss of the {update.player} is {mean.item()} at step {self.state.step + 1}; a "
            f"lower training.learning_rate often helps. {self._what_is_left()}"
        )

    def _learn(self, update: Update) -> None:
        players = self.recipe.players[update.player]
        optimizers = [self.optimizers[name] for name in players if name in self.optimizers]
        # Only this player's weights: gradients for the other players are not needed.
        update.loss.backward(inputs=_weights(optimizers))
        average_(w.grad for w in _weights(optimizers) if w.grad is not None)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()  # frees the gradients' memory before the next forward pass

    def _pass(self, step: int) -> None:
        """Run the recipe on the batch of a step without training."""
        self._seed_step(step)
        for _ in self.recipe.step(*self._batch(step)):
            pass

    def _batch(self, step: int) -> list[Tensor]:
        views, *labels = (part.to(self.device) for part in self.reader.read(step))
        if views.dtype == torch.uint8:
            return [scaled(views), *labels]
        size = self.settings.batch_size * self.recipe.batches_per_step // ranks()
        return [with_hardest(self.recipe, views.float(), labels[0], size)]

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
        if rank() == 0:
            rates = {
                f"learning_rate/{name}": optimizer.param_groups[0]["lr"]
                for name, optimizer in self.optimizers.items()
            }
            row = {
                "title": self.title.replace(" ", "/"),
                "step": self.state.step,
                "figures": means | rates,
            }
            LOG.info("%s: step %d", self.title, self.state.step, extra=row)

    def _save(self) -> None:
        if self.checkpoint is None or not _all_finite(self.recipe.networks):
            return
        tensors = prefixed("networks", self.recipe.networks.state_dict())
        tensors |= prefixed("memory", self.recipe.memory.state_dict())
        if self.best:
            tensors |= prefixed("best", self.best) | {"lowest": torch.tensor(self.lowest)}
        if self.average.networks is not None:
            tensors |= prefixed("average", self.average.networks.state_dict())
        for name, optimizer in self.optimizers.items():
            tensors |= prefixed(f"optimizer.{name}", optimizer_tensors(optimizer))
        # A row is the mean of LOG_EVERY steps; the steps since the last row must be saved, too.
        for index, terms in enumerate(self.recent):
            tensors |= prefixed(f"recent.{index}", terms)
        self.state.tensors = tensors
        self.state.save(self.checkpoint)

    def _restore(self, saved: Checkpoint) -> None:
        if saved.facts != self.state.facts:
            every = {**self.state.facts, **saved.facts}
            changed = [k for k in every if saved.facts.get(k) != self.state.facts.get(k)]
            raise TrainingError(
                f"cannot resume from {self.checkpoint}: it was made with other "
                f"{' and '.join(changed)}; use the same, or delete it to start again"
            )
        try:
            self.recipe.networks.load_state_dict(unprefixed("networks", saved.tensors))
            self.recipe.memory.load_state_dict(unprefixed("memory", saved.tensors))
            if self.average.networks is not None:
                self.average.networks.load_state_dict(unprefixed("average", saved.tensors))
        except RuntimeError as error:
            raise TrainingError(
                f"cannot resume from {self.checkpoint}: it is of another version of anomgan, whose "
                f"networks have other weights; delete it to start again"
            ) from error
        for name, optimizer in self.optimizers.items():
            restore_optimizer(optimizer, unprefixed(f"optimizer.{name}", saved.tensors))
        while terms := unprefixed(f"recent.{len(self.recent)}", saved.tensors):
            self.recent.append(terms)
        self.state = saved
        self.best = unprefixed("best", saved.tensors)
        if self.best:
            self.lowest = saved.tensors["lowest"].item()

    def _why_stopped(self) -> str:
        text = f"stopped after step {self.state.step}"
        if rank() > 0:
            return f"{text} (process 0 says how to go on)"
        if self.checkpoint is None:
            return f"{text}; no checkpoint is kept"
        return f"{text}; to continue, run the same command with --resume (resume=True)"

    def _what_is_left(self) -> str:
        """What can be done after a step that must not be saved."""
        if rank() > 0:
            return "(Process 0 says how to go on.)"
        if self.checkpoint is None or not self.checkpoint.exists():
            return "No checkpoint was saved yet."
        step = Checkpoint.load(self.checkpoint).step
        return f"The last good checkpoint is kept: --resume --steps {step} makes a model of it"


def _weights(optimizers: Sequence[optim.Optimizer]) -> list[Tensor]:
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    return [weight for group in groups for weight in group["params"]]


def _all_finite(networks: nn.Module) -> bool:
    return all(bool(torch.isfinite(tensor).all()) for tensor in networks.state_dict().values())
