"""The optimiser of each network, and its learning rate while training goes on."""

from collections.abc import Iterable

from torch import nn, optim

from anomgan.config import TrainingSettings
from anomgan.training.recipe import Recipe, RMSProp


def make_optimizers(recipe: Recipe, settings: TrainingSettings) -> dict[str, optim.Optimizer]:
    """Make an optimiser for each network that has weights to train.

    Args:
        recipe: names the paper's optimiser, and how much slower or faster a network learns.
        settings: their learning rate and betas count where they are set.
    """
    names = dict.fromkeys(name for names in recipe.players.values() for name in names)
    weights = {
        name: [one for one in recipe.networks[name].parameters() if one.requires_grad]
        for name in names
    }
    return {name: _make(recipe, settings, name, some) for name, some in weights.items() if some}


def _make(
    recipe: Recipe, settings: TrainingSettings, name: str, weights: list[nn.Parameter]
) -> optim.Optimizer:
    own = recipe.optimiser
    rate = settings.learning_rate if settings.learning_rate is not None else own.learning_rate
    rate *= recipe.rates.get(name, 1.0)
    groups = [{"params": weights, "full": rate}]
    if isinstance(own, RMSProp):
        return optim.RMSprop(groups, rate, own.decay)
    beta1 = settings.beta1 if settings.beta1 is not None else own.beta1
    beta2 = settings.beta2 if settings.beta2 is not None else own.beta2
    return optim.Adam(groups, rate, (beta1, beta2), weight_decay=own.weight_decay)


def set_rates(optimizers: Iterable[optim.Optimizer], share_done: float, decay_from: float) -> None:
    """Set the learning rates: full until `decay_from`, then linearly down to 0.

    Args:
        optimizers: made by `make_optimizers`.
        share_done: share of the training that is done, 0 to 1.
        decay_from: share of the training after which rates fall; 1 for never.
    """
    left = 1.0 if decay_from == 1 else min(1.0, (1 - share_done) / (1 - decay_from))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * left
