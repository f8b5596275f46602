"""Small networks with the names and shapes that authors publish, to compare ours with.

They are written from the papers and the authors' names, and are as plain as possible.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Residual(nn.Module):
    """Block of StarGAN v2; without a style it normalises or not, with one it is adaptive."""

    def __init__(self, inputs, outputs, *, normalise=False, halve=False, double=False, style=0):
        super().__init__()
        self.halve, self.double = halve, double
        middle = outputs if style else inputs
        self.conv1 = nn.Conv2d(inputs, middle, 3, 1, 1)
        self.conv2 = nn.Conv2d(middle, outputs, 3, 1, 1)
        if style:
            self.norm1, self.norm2 = Adaptive(inputs, style), Adaptive(outputs, style)
        elif normalise:
            self.norm1 = nn.InstanceNorm2d(inputs, affine=True)
            self.norm2 = nn.InstanceNorm2d(inputs, affine=True)
        if inputs != outputs:
            self.conv1x1 = nn.Conv2d(inputs, outputs, 1, bias=False)

    def norm(self, number, x, style):
        norm = getattr(self, f"norm{number}", None)
        return x if norm is None else norm(x) if style is None else norm(x, style)

    def forward(self, x, style=None):
        deep = F.leaky_relu(self.norm(1, x, style), 0.2)
        if self.double:
            x, deep = (F.interpolate(one, scale_factor=2, mode="nearest") for one in (x, deep))
        deep = self.conv1(deep)
        if hasattr(self, "conv1x1"):
            x = self.conv1x1(x)
        if self.halve:
            x, deep = F.avg_pool2d(x, 2), F.avg_pool2d(deep, 2)
        deep = self.conv2(F.leaky_relu(self.norm(2, deep, style), 0.2))
        return (x + deep) / math.sqrt(2)


class Adaptive(nn.Module):
    def __init__(self, maps, style):
        super().__init__()
        self.fc = nn.Linear(style, 2 * maps)

    def forward(self, x, style):
        gamma, beta = self.fc(style)[:, :, None, None].chunk(2, 1)
        return (1 + gamma) * F.instance_norm(x) + beta


class StarGANv2Generator(nn.Module):
    """For images of 64 px: two halvings, two blocks at 16 px, and back."""

    def __init__(self, features, style, high_pass=False):
        super().__init__()
        self.from_rgb = nn.Conv2d(3, features, 3, 1, 1)
        widths = [features * 2**level for level in range(4 if high_pass else 3)]
        pairs = list(zip(widths, widths[1:]))
        same = [(widths[-1], widths[-1])] * 2
        self.encode = nn.ModuleList(
            [Residual(*pair, normalise=True, halve=True) for pair in pairs]
            + [Residual(*pair, normalise=True) for pair in same]
        )
        self.decode = nn.ModuleList(
            [Residual(*pair, style=style) for pair in same]
            + [Residual(b, a, style=style, double=True) for a, b in pairs[::-1]]
        )
        self.to_rgb = nn.Sequential(
            nn.InstanceNorm2d(features, affine=True), nn.LeakyReLU(0.2), nn.Conv2d(features, 3, 1)
        )

    def forward(self, x, style):
        x = self.from_rgb(x)
        for block in self.encode:
            x = block(x)
        for block in self.decode:
            x = block(x, style)
        return self.to_rgb(x)


class StarGANv2Mapping(nn.Module):
    def __init__(self, latent, hidden, style, domains):
        super().__init__()
        self.shared = relus(latent, hidden, hidden, hidden, hidden)
        self.unshared = nn.ModuleList(
            nn.Sequential(*relus(hidden, hidden, hidden, hidden), nn.Linear(hidden, style))
            for _ in range(domains)
        )

    def forward(self, z, domain):
        return self.unshared[domain](self.shared(z))


def relus(*widths):
    parts = [(nn.Linear(a, b), nn.ReLU()) for a, b in zip(widths, widths[1:])]
    return nn.Sequential(*(layer for pair in parts for layer in pair))


def stargan_v2_body(features):
    widths = [features * min(2**level, 8) for level in range(5)]
    blocks = [Residual(a, b, halve=True) for a, b in zip(widths, widths[1:])]
    last = [nn.LeakyReLU(0.2), nn.Conv2d(widths[-1], widths[-1], 4), nn.LeakyReLU(0.2)]
    return [nn.Conv2d(3, features, 3, 1, 1), *blocks, *last], widths[-1]


class StarGANv2StyleEncoder(nn.Module):
    def __init__(self, features, style, domains):
        super().__init__()
        body, width = stargan_v2_body(features)
        self.shared = nn.Sequential(*body)
        self.unshared = nn.ModuleList(nn.Linear(width, style) for _ in range(domains))

    def forward(self, x, domain):
        return self.unshared[domain](self.shared(x).flatten(1))


class StarGANv2Discriminator(nn.Module):
    def __init__(self, features, domains):
        super().__init__()
        body, width = stargan_v2_body(features)
        self.main = nn.Sequential(*body, nn.Conv2d(width, domains, 1))

    def forward(self, x, domain):
        return self.main(x).flatten(1)[:, domain, None]


class Scaled(nn.Module):
    """A weight that is scaled by He's constant, as `equal_lr` of the StyleGAN port does."""

    def __init__(self, *shape, bias=True):
        super().__init__()
        self.weight_orig = nn.Parameter(torch.randn(*shape))
        if bias:
            self.bias = nn.Parameter(0.3 * torch.randn(shape[0]))

    @property
    def weight(self):
        return self.weight_orig * math.sqrt(2 / self.weight_orig[0].numel())


class Linear(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = Scaled(outputs, inputs)

    def forward(self, x):
        return F.linear(x, self.linear.weight, self.linear.bias)


class Convolution(nn.Module):
    def __init__(self, inputs, outputs, side):
        super().__init__()
        self.conv = Scaled(outputs, inputs, side, side)

    def forward(self, x):
        padding = self.conv.weight_orig.shape[-1] // 2
        return F.conv2d(x, self.conv.weight, self.conv.bias, padding=padding)


class Fused(nn.Module):
    """Doubles the size by a transposed convolution with a 4x4 kernel, made of a 3x3 one."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(inputs, outputs, 3, 3))
        self.bias = nn.Parameter(0.3 * torch.randn(outputs))

    def forward(self, x):
        inputs, outputs = self.weight.shape[:2]
        kernel = torch.zeros(inputs, outputs, 4, 4)
        for down in (0, 1):
            for right in (0, 1):
                kernel[:, :, down : down + 3, right : right + 3] += self.weight / 4
        kernel = kernel * math.sqrt(2 / (9 * inputs))
        return F.conv_transpose2d(x, kernel, self.bias, stride=2, padding=1)


class Blur(nn.Module):
    def __init__(self, maps):
        super().__init__()
        line = torch.tensor([1.0, 2.0, 1.0])
        weight = (torch.outer(line, line) / 16).expand(maps, 1, 3, 3)
        self.register_buffer("weight", weight.clone())
        self.register_buffer("weight_flip", weight.clone())

    def forward(self, x):
        return F.conv2d(x, self.weight, padding=1, groups=len(self.weight))


class AdaptiveNorm(nn.Module):
    def __init__(self, maps, style):
        super().__init__()
        self.style = Linear(style, 2 * maps)

    def forward(self, x, style):
        scale, shift = self.style(style)[:, :, None, None].chunk(2, 1)
        return scale * F.instance_norm(x) + shift


class Constant(nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, maps, 4, 4))


class Noise(nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.weight_orig = nn.Parameter(torch.randn(1, maps, 1, 1))

    def forward(self, x, noise):
        maps = self.weight_orig.shape[1]
        return x + self.weight_orig * math.sqrt(2 / maps) * noise


class StyledBlock(nn.Module):
    def __init__(self, inputs, outputs, style, *, first=False, fused=False):
        super().__init__()
        self.first = first
        if first:
            self.conv1 = Constant(inputs)
        elif fused:
            self.conv1 = nn.Sequential(Fused(inputs, outputs), Blur(outputs))
        else:
            double = nn.Upsample(scale_factor=2, mode="nearest")
            self.conv1 = nn.Sequential(double, Convolution(inputs, outputs, 3), Blur(outputs))
        self.conv2 = Convolution(outputs, outputs, 3)
        self.noise1, self.noise2 = Noise(outputs), Noise(outputs)
        self.adain1, self.adain2 = AdaptiveNorm(outputs, style), AdaptiveNorm(outputs, style)

    def forward(self, x, style, noises):
        x = self.conv1.input.expand(len(style), -1, -1, -1) if self.first else self.conv1(x)
        x = self.adain1(F.leaky_relu(self.noise1(x, noises[0]), 0.2), style)
        x = F.leaky_relu(self.noise2(self.conv2(x), noises[1]), 0.2)
        return self.adain2(x, style)


class StyleGANPort(nn.Module):
    """Resolutions of 4 to 32 px, the last two with fused layers."""

    def __init__(self, style, mapping_layers):
        super().__init__()
        widths = [8, 8, 4, 2]
        blocks = [StyledBlock(8, 8, style, first=True)]
        for level, pair in enumerate(zip(widths, widths[1:])):
            blocks.append(StyledBlock(*pair, style, fused=level >= 1))
        self.generator = nn.Module()
        self.generator.progression = nn.ModuleList(blocks)
        self.generator.to_rgb = nn.ModuleList(Convolution(width, 3, 1) for width in widths)
        layers = [(Linear(style, style), nn.LeakyReLU(0.2)) for _ in range(mapping_layers)]
        self.style = nn.Sequential(nn.Identity(), *(one for pair in layers for one in pair))

    def forward(self, z, step, noises):
        style = self.style(z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt())
        x = None
        for level in range(step + 1):
            x = self.generator.progression[level](x, style, noises[level])
        return self.generator.to_rgb[step](x)


class GANomalyEncoder(nn.Module):
    """For images of 16 px: two halvings, then all 4x4 cells at once."""

    def __init__(self, features, latent, channels):
        super().__init__()
        wide = 2 * features
        self.main = nn.Sequential()
        first = nn.Conv2d(channels, features, 4, 2, 1, bias=False)
        self.main.add_module(f"initial-conv-{channels}-{features}", first)
        self.main.add_module(f"initial-relu-{features}", nn.LeakyReLU(0.2))
        middle = nn.Conv2d(features, wide, 4, 2, 1, bias=False)
        self.main.add_module(f"pyramid-{features}-{wide}-conv", middle)
        self.main.add_module(f"pyramid-{wide}-batchnorm", nn.BatchNorm2d(wide))
        self.main.add_module(f"pyramid-{wide}-relu", nn.LeakyReLU(0.2))
        self.main.add_module(f"final-{wide}-1-conv", nn.Conv2d(wide, latent, 4, bias=False))


class GANomalyDecoder(nn.Module):
    def __init__(self, features, latent, channels):
        super().__init__()
        wide = 2 * features
        self.main = nn.Sequential()
        first = nn.ConvTranspose2d(latent, wide, 4, bias=False)
        self.main.add_module(f"initial-{latent}-{wide}-convt", first)
        self.main.add_module(f"initial-{wide}-batchnorm", nn.BatchNorm2d(wide))
        self.main.add_module(f"initial-{wide}-relu", nn.ReLU())
        middle = nn.ConvTranspose2d(wide, features, 4, 2, 1, bias=False)
        self.main.add_module(f"pyramid-{wide}-{features}-convt", middle)
        self.main.add_module(f"pyramid-{features}-batchnorm", nn.BatchNorm2d(features))
        self.main.add_module(f"pyramid-{features}-relu", nn.ReLU())
        last = nn.ConvTranspose2d(features, channels, 4, 2, 1, bias=False)
        self.main.add_module(f"final-{features}-{channels}-convt", last)
        self.main.add_module(f"final-{channels}-tanh", nn.Tanh())


class GANomalyGenerator(nn.Module):
    def __init__(self, features, latent, channels):
        super().__init__()
        self.encoder1 = GANomalyEncoder(features, latent, channels)
        self.decoder = GANomalyDecoder(features, latent, channels)
        self.encoder2 = GANomalyEncoder(features, latent, channels)

    def forward(self, x):
        z = self.encoder1.main(x)
        rebuilt = self.decoder.main(z)
        return rebuilt, z, self.encoder2.main(rebuilt)


class GANomalyDiscriminator(nn.Module):
    def __init__(self, features, channels):
        super().__init__()
        *hidden, last = GANomalyEncoder(features, 1, channels).main
        self.features = nn.Sequential(*hidden)
        self.classifier = nn.Sequential(last, nn.Sigmoid())

    def forward(self, x):
        return self.classifier(self.features(x)).flatten()
