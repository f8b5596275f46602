"""Conditional networks: the pyramids of DCGAN with a label as a second input."""

from typing import Literal

import torch
from torch import Tensor, nn

from anomgan.networks.dcgan import Decoder, Discriminator
from anomgan.networks.spectral import spectral_norm

Told = Literal["plane", "embedding", "projection"]


class ConditionalGenerator(nn.Module):
    """Latent [N, latent_dim] and label c [N, labels] to image [N, channels, size, size].

    The values of the image are in [-1, 1]. A learnt embedding of c, of length `embedding_dim`, is
    joined to z; if that is 0, c itself is.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        latent_dim: int,
        labels: int,
        embedding_dim: int,
        features: int,
    ) -> None:
        super().__init__()
        self.embed = (
            nn.Linear(labels, embedding_dim, bias=False) if embedding_dim else nn.Identity()
        )
        self.decoder = Decoder(size, channels, latent_dim + (embedding_dim or labels), features)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return self.decoder(torch.cat([z, self.embed(c)], 1)[:, :, None, None])


class ConditionalDiscriminator(nn.Module):
    """Image [N, channels, size, size] and label c [N, labels] to logits [N, 1].

    Args:
        size, channels, features, spectral: as `Discriminator`.
        labels: length of a label.
        told: how the label is given. "plane": as one more channel, a learnt image of the label
            (after Mirza and Osindero 2014). "embedding": as constant channels, a learnt vector.
            "projection": the inner product of a learnt vector and the deepest features is added to
            the logit (Miyato and Koyama 2018, equation 4).
        embedding_dim: length of the vector of "embedding".
    """

    def __init__(
        self,
        size: int,
        channels: int,
        labels: int,
        told: Told,
        embedding_dim: int,
        features: int,
        spectral: bool,
    ) -> None:
        super().__init__()
        self.told = told
        beside = {"plane": 1, "embedding": embedding_dim, "projection": 0}[told]
        self.pyramid = Discriminator(size, channels + beside, features, spectral)
        deepest = self.pyramid.head.in_channels
        width = {"plane": size * size, "embedding": embedding_dim, "projection": deepest}[told]
        self.embed = nn.Linear(labels, width, bias=False)
        if spectral and told == "projection":
            spectral_norm(self.embed)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        label = self.embed(c)
        if self.told == "projection":
            logits, deep = self.pyramid(x)
            return logits.flatten(1) + (label * deep.sum(dim=(2, 3))).sum(1, keepdim=True)
        if self.told == "plane":
            beside = label.view(len(x), 1, *x.shape[2:])
        else:
            beside = label[:, :, None, None].expand(-1, -1, *x.shape[2:])
        return self.pyramid(torch.cat([x, beside], 1))[0].flatten(1)
