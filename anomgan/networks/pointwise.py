"""Networks for feature vectors: 1x1 convolutions, so that a whole map takes one pass."""

import torch
from torch import Tensor, nn

SLOPE = 0.2


class Pointwise(nn.Linear):
    """A 1x1 convolution, [N, C, h, w] to [N, D, h, w].

    As a matrix product it is three times as fast as `nn.Conv2d` on the single vectors of training,
    and no slower on maps.
    """

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class PointwiseNetwork(nn.Sequential):
    """An encoder or a decoder, [N, inputs, h, w] to [N, outputs, h, w].

    It has two hidden layers of `width` units, and no activation at the end.
    """

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__(
            *_hidden(inputs, width, True), *_hidden(width, width, True), Pointwise(width, outputs)
        )


class PointwiseDiscriminator(nn.Module):
    """[N, channels, h, w] to (logits [N, 1, h, w], features [N, width, h, w] of a hidden layer).

    It has no batch norm, so that it can be a critic with a gradient penalty.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.hidden = nn.ModuleList([_hidden(channels, width, False), _hidden(width, width, False)])
        self.head = Pointwise(width, 1)

    def forward(self, x: Tensor, layer: int = -1) -> tuple[Tensor, Tensor]:
        maps = []
        for block in self.hidden:
            x = block(x)
            maps.append(x)
        return self.head(x), maps[layer]


class PointwiseJointDiscriminator(nn.Module):
    """Vectors x [N, channels, 1, 1] and z [N, latent_dim] to (logits [N, 1], features [N, joint]).

    The branch of x has `width` units, the joint layer `joint` units.
    """

    def __init__(self, channels: int, latent_dim: int, width: int, joint: int) -> None:
        super().__init__()
        self.vector = nn.Sequential(nn.Linear(channels, width), nn.LeakyReLU(SLOPE))
        self.joint = nn.Sequential(nn.Linear(width + latent_dim, joint), nn.LeakyReLU(SLOPE))
        self.head = nn.Linear(joint, 1)

    def forward(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        features = self.joint(torch.cat([self.vector(x.flatten(1)), z], 1))
        return self.head(features), features


def _hidden(inputs: int, outputs: int, batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = [Pointwise(inputs, outputs)]
    if batch_norm:
        layers.append(nn.BatchNorm2d(outputs))
    return nn.Sequential(*layers, nn.LeakyReLU(SLOPE, inplace=True))
