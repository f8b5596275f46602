"""The latent search of AnoGAN: find the code from which a generator rebuilds an image.

Schlegl, Seeböck, Waldstein, Schmidt-Erfurth and Langs, "Unsupervised Anomaly Detection with
Generative Adversarial Networks to Guide Marker Discovery", IPMI 2017, section 2.2.

A code is the input of `LatentGAN.decode`: the latent vector z of the paper for most generators, a
style for StyleGAN.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from anomgan.config import HiddenLayer, Section
from anomgan.generators.base import LatentGAN, draw_normal

MOST_RESTARTS = 64
START_SEED = 2017
"""Seed of the starting points, which are the same for every image, so that its result does not
depend on the batch."""


class SearchSettings(Section):
    """Budget and loss of the search."""

    steps: int = Field(500, ge=1, le=100_000, description="most steps of Adam per image")
    restarts: int = Field(1, ge=1, le=MOST_RESTARTS, description="starting points per image")
    learning_rate: float = Field(0.05, gt=0, le=10, description="Adam's step size on the code")
    space: Literal["w", "w+"] = Field(
        "w",
        description="StyleGAN only. w: one style for all layers; w+: one style per layer, which "
        "fits more images, anomalous ones too",
    )
    discrimination: float = Field(
        0.1, ge=0, le=1, description="lambda, the share of feature matching in the loss (eq. 5)"
    )
    prior: float = Field(
        0.0,
        ge=0,
        description="weight of |z|^2 / 2 (StyleGAN: of half the squared distance from the mean "
        "style), which keeps the code probable (the paper has no such term)",
    )
    layer: HiddenLayer = -1
    patience: int = Field(
        50, ge=0, description="stop an image after this many steps without progress (0: never)"
    )
    tolerance: float = Field(
        0.005, ge=0, lt=1, description="share of the loss that counts as progress"
    )
    chunk: int = Field(256, ge=1, description="candidates in memory at once")


@dataclass
class Found:
    """What a search found for N images.

    Attributes:
        code: codes [N, D] of the best candidate of each image.
        loss: their losses [N], equation 5: the anomaly score A(x) of equation 6.
        steps: steps [N] that were spent until the best candidate stopped.
    """

    code: Tensor
    loss: Tensor
    steps: Tensor


def search_loss(
    gan: LatentGAN, x: Tensor, features: Tensor, code: Tensor, settings: SearchSettings
) -> Tensor:
    """Loss [N] of codes: (1 - lambda) residual + lambda discrimination, equation 5.

    A `prior` above 0 favours codes that are probable (in z: under N(0, 1)), so that the search
    can't leave the training distribution to fit an anomaly.

    Args:
        gan: generator and discriminator.
        x: images [N, C, H, W].
        features: of `x` in the discriminator's layer.
        code: codes [N, D].
        settings: lambda and the layer.
    """
    rebuilt = gan.decode(code)
    residual = (x - rebuilt).abs().flatten(1).sum(1)  # equation 3
    share = settings.discrimination
    loss = (1 - share) * residual + settings.prior * gan.improbability(code)
    if not share:
        return loss
    distance = features - gan.features(rebuilt, settings.layer)
    return loss + share * distance.abs().flatten(1).sum(1)  # equations 4 and 5


def search(
    gan: LatentGAN,
    x: Tensor,
    settings: SearchSettings,
    *,
    start: Tensor | None = None,
) -> Found:
    """Find a code for each image, by Adam from several starting points.

    The result for an image does not depend on the others, up to rounding: the networks are in
    evaluation mode, all images have the same starting points, and each image stops on its own.

    Args:
        gan: generator and discriminator in evaluation mode.
        x: images [N, C, H, W] in [-1, 1].
        settings: budget of the search.
        start: first starting point of each image, a code [N, D], from an encoder.
    """
    images = max(1, settings.chunk // settings.restarts)
    parts = []
    for first in range(0, len(x), images):
        some = slice(first, first + images)
        begin = None if start is None else start[some]
        with torch.inference_mode(False), torch.enable_grad():
            parts.append(_search_chunk(gan, x[some].clone(), settings, begin))
    return Found(
        torch.cat([part.code for part in parts]),
        torch.cat([part.loss for part in parts]),
        torch.cat([part.steps for part in parts]),
    )


def _search_chunk(
    gan: LatentGAN, x: Tensor, settings: SearchSettings, start: Tensor | None
) -> Found:
    count, restarts = len(x), settings.restarts
    code = _starting_points(gan, count, settings, start, x)
    with torch.no_grad():
        features = gan.features(x, settings.layer)
    best_code, best = code.clone(), x.new_full((len(code),), torch.inf)
    spent = torch.zeros(len(code), dtype=torch.long, device=x.device)
    progress_at, mark = torch.zeros_like(spent), best.clone()
    going = torch.arange(len(code), device=x.device)
    moments = _Moments(code)
    for step in range(settings.steps):
        owner = going // restarts
        here = code[going].requires_grad_()
        loss = search_loss(gan, x[owner], features[owner], here, settings)
        (gradient,) = torch.autograd.grad(loss.sum(), here)
        loss = loss.detach()
        better = loss < best[going]
        best_code[going[better]], best[going[better]] = code[going[better]], loss[better]
        progress = loss < mark[going] * (1 - settings.tolerance)
        mark[going[progress]], progress_at[going[progress]] = loss[progress], step
        spent[going] = step + 1
        code[going] += moments.move(going, gradient, settings.learning_rate)
        if settings.patience:
            going = going[step - progress_at[going] < settings.patience]
            if not len(going):
                break
    winner = best.view(count, restarts).argmin(1) + torch.arange(count, device=x.device) * restarts
    return Found(best_code[winner], best[winner], spent[winner])


def _starting_points(
    gan: LatentGAN, count: int, settings: SearchSettings, start: Tensor | None, x: Tensor
) -> Tensor:
    # Always draws the largest number: a draw of another size would start with other values.
    drawn = draw_normal(MOST_RESTARTS, gan.settings.latent_dim, seed=START_SEED)
    with torch.no_grad():
        code = gan.embed(drawn[: settings.restarts].to(x.device))
        if settings.space == "w+":
            code, start = gan.widen(code), None if start is None else gan.widen(start)
    code = code.repeat(count, 1, 1)
    if start is not None:
        code[:, 0] = start
    return code.flatten(0, 1)


class _Moments:
    """Adam with moments per candidate; torch's optimiser cannot drop candidates that stopped."""

    def __init__(self, code: Tensor) -> None:
        self.first, self.second = torch.zeros_like(code), torch.zeros_like(code)
        self.steps = 0

    def move(self, going: Tensor, gradient: Tensor, learning_rate: float) -> Tensor:
        self.steps += 1
        self.first[going] = self.first[going].lerp(gradient, 0.1)
        self.second[going] = self.second[going].lerp(gradient.square(), 0.001)
        first = self.first[going] / (1 - 0.9**self.steps)
        second = self.second[going] / (1 - 0.999**self.steps)
        return -learning_rate * first / (second.sqrt() + 1e-8)
