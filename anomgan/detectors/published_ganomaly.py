"""Imports GANomaly as its authors' code saves it: github.com/samet-akcay/ganomaly, `netG.pth`.

Weights alone are no detector: good images give the statistics, the threshold and its false-alarm
rate. Nothing is trained.
"""

from pathlib import Path

import torch

from anomgan.config_files import read_toml
from anomgan.config_values import merge
from anomgan.detectors.fitting import FitOptions, fit_method
from anomgan.detectors.ganomaly import GANomaly
from anomgan.generators.published import (
    fill,
    origin,
    read_checkpoint,
    shape_of,
    tensors_of,
    weights_of,
)
from anomgan.machine.device import own_state

SETTINGS = Path("ganomaly_paper")
"""Settings file with the score of the paper."""


def import_ganomaly(
    path: Path,
    normals: Path,
    *,
    groups: Path | None = None,
    skip_unreadable: bool = False,
    device: str = "auto",
) -> GANomaly:
    """Make a detector of the authors' weights and of good images.

    Args:
        path: `netG.pth`; the discriminator in `netD.pth` takes no part in scoring.
        normals: folder of good images.
        groups: CSV table of the physical part in each image, as `Detector.fit` takes it.
        skip_unreadable: leave out images that cannot be read.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: the file or the images cannot be used.
        ModelError: the file is not such a checkpoint; names what does not fit.
    """
    theirs = weights_of(read_checkpoint(path), "state_dict", path)
    first = [name for name in theirs if name.startswith("encoder1.main.initial-conv-")]
    last = [name for name in theirs if name.startswith("encoder1.main.final-")]
    features, channels, *_ = shape_of(theirs, "".join(first) or "encoder1", 4, path)
    latent_dim, *_ = shape_of(theirs, "".join(last) or "encoder1", 4, path)
    steps = [name for name in theirs if name.startswith("encoder1.main.pyramid-")]
    depth = 1 + sum(name.endswith("-conv.weight") for name in steps)
    own = {
        "image": {"channels": "rgb" if channels == 3 else "grey"},
        "view": {"size": 4 * 2**depth},
        "network": {"features": features, "latent_dim": latent_dim},
    }
    detector = GANomaly.from_settings(merge(read_toml(SETTINGS), own), device)
    names = _encoder("encoder1", "encoder", depth, channels, features)
    names |= _encoder("encoder2", "second_encoder", depth, channels, features)
    names |= _decoder(depth, channels, features, latent_dim)
    with own_state(detector.device):
        torch.manual_seed(detector.settings.seed)
        networks = detector.build(channels)
        fill(networks, theirs, tensors_of(names), path)
        options = FitOptions(groups, skip_unreadable=skip_unreadable, weights=networks.state_dict())
        detector.fitted = fit_method(detector, normals, options)
    detector.fitted.facts |= origin(path, [])
    return detector


def _encoder(theirs: str, ours: str, depth: int, channels: int, features: int) -> dict[str, str]:
    """Their names tell the numbers of feature maps."""
    main = f"{theirs}.main"
    names = {f"{main}.initial-conv-{channels}-{features}": f"{ours}.layers.0.0"}
    for level in range(1, depth):
        width = features * 2**level
        names[f"{main}.pyramid-{width // 2}-{width}-conv"] = f"{ours}.layers.{level}.0"
        names[f"{main}.pyramid-{width}-batchnorm"] = f"{ours}.layers.{level}.1"
    width = features * 2 ** (depth - 1)
    return names | {f"{main}.final-{width}-1-conv": f"{ours}.layers.{depth}"}


def _decoder(depth: int, channels: int, features: int, latent_dim: int) -> dict[str, str]:
    width = features * 2 ** (depth - 1)
    main, ours = "decoder.main", "decoder.layers"
    names = {
        f"{main}.initial-{latent_dim}-{width}-convt": f"{ours}.0",
        f"{main}.initial-{width}-batchnorm": f"{ours}.1",
    }
    for level in range(1, depth):
        names[f"{main}.pyramid-{width}-{width // 2}-convt"] = f"{ours}.{3 * level}"
        width //= 2
        names[f"{main}.pyramid-{width}-batchnorm"] = f"{ours}.{3 * level + 1}"
    return names | {f"{main}.final-{features}-{channels}-convt": f"{ours}.{3 * depth}"}
