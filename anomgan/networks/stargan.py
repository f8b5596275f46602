"""The discriminator of StarGAN (Choi et al. 2018, table 5); its generator is `TranslatorNet`."""

from torch import Tensor, nn

from anomgan.networks.dcgan import pyramid


class StarGANDiscriminator(nn.Module):
    """Image [N, channels, size, size] to (values of patches [N, 1, 2, 2], logits [N, labels]).

    There are 3 x 3 patches for sizes such as 96. The first convolution has `features` feature maps,
    and each further one twice as many. There is no normalisation, because of the gradient penalty.
    """

    def __init__(self, size: int, channels: int, labels: int, features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        above = channels
        depth, cells = pyramid(size)
        for level in range(depth + 1):
            below = features * 2**level
            layers += [nn.Conv2d(above, below, 4, 2, 1), nn.LeakyReLU(0.01)]
            above = below
        self.layers = nn.Sequential(*layers)
        self.source = nn.Conv2d(above, 1, 3, 1, 1, bias=False)
        self.domain = nn.Conv2d(above, labels, cells // 2, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        deep = self.layers(x)
        return self.source(deep), self.domain(deep).flatten(1)
