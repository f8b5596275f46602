"""`anomgan generator import`: makes a model of weights that a method's authors have published."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from anomgan.cli.options import DEFAULT_GENERATOR, DEFAULT_MODEL, Device, Groups, SkipUnreadable
from anomgan.cli.say import argument, say
from anomgan.errors import InputError

Published = Literal["stargan_v2", "stylegan", "ganomaly"]
"""Methods with weights of their authors, or of a well-known port."""
File = Annotated[
    Path,
    typer.Argument(
        help="Checkpoint of PyTorch. stargan_v2: 100000_nets_ema.ckpt of clovaai/stargan-v2, for "
        "animal faces. stylegan: stylegan-256px-new.model and others of "
        "rosinality/style-based-gan-pytorch. ganomaly: netG.pth of samet-akcay/ganomaly."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Model folder to write. Default: anomgan-generator; for ganomaly, anomgan-model."
    ),
]
Domain = Annotated[
    list[str] | None,
    typer.Option(
        help="stargan_v2: name of a domain. Repeat it for each, in alphabetical order: cat, dog, "
        "wild for AFHQ. Default: domain0 and so on."
    ),
]
Size = Annotated[
    int | None,
    typer.Option(help="stylegan: side of the images that it was trained on, in pixels."),
]
NormalDir = Annotated[
    Path | None,
    typer.Option(help="ganomaly: folder of good images, which give the threshold of the detector."),
]


def import_weights(
    file: File,
    method: Annotated[Published, typer.Option(help="Method of the weights.")],
    out: Out = None,
    domain: Domain = None,
    size: Size = None,
    normal_dir: NormalDir = None,
    groups: Groups = None,
    skip_unreadable: SkipUnreadable = False,
    device: Device = "auto",
) -> None:
    """Import weights that a method's authors have published; nothing in the file is executed.

    Networks that are not in the file, such as the discriminator, get random weights.
    """
    from anomgan.model_files import check_target

    _refuse(method, bool(domain), size is not None, normal_dir is not None or groups is not None)
    out = out or (DEFAULT_MODEL if method == "ganomaly" else DEFAULT_GENERATOR)
    check_target(out)
    if method == "ganomaly":
        _import_detector(file, normal_dir, out, groups, skip_unreadable, device)
        return
    if method == "stargan_v2":
        from anomgan.generators.published_stargan_v2 import import_stargan_v2

        model = import_stargan_v2(file, domain or (), device)
        to = argument(model.names[-1])
        then = f"translate --model {argument(out)} --dir photos/ --to {to} --out translated/"
    else:
        from anomgan.generators.published_stylegan import import_stylegan

        if size is None:
            raise InputError(
                "give the size of the images that it was trained on, such as --size 256"
            )
        model = import_stylegan(file, size, device)
        then = f"sample --model {argument(out)} --count 16 --truncation 0.7"
    model.save(out)
    view = model.settings.view.size
    say(f"{method} for images of {view} px, from {file}.")
    for name in model.facts["imported"]["untrained"]:
        say(f"The file has no weights for our {name}: they are random.")
    say(f"Model: {out}/")
    say(f"Next:  anomgan generator {then}")


def _import_detector(
    file: Path,
    normals: Path | None,
    out: Path,
    groups: Path | None,
    skip_unreadable: bool,
    device: str,
) -> None:
    from anomgan.cli.fit import summarise
    from anomgan.detectors.published_ganomaly import import_ganomaly

    if normals is None:
        raise InputError(
            "GANomaly is a detector, and needs good images for its threshold: --normal-dir ok/"
        )
    detector = import_ganomaly(
        file, normals, groups=groups, skip_unreadable=skip_unreadable, device=device
    )
    detector.save(out)
    typer.echo(summarise(detector, out))


def _refuse(method: Published, domains: bool, size: bool, images: bool) -> None:
    """Refuse options of another method."""
    for given, option, owner in (
        (domains, "--domain", "stargan_v2"),
        (size, "--size", "stylegan"),
        (images, "--normal-dir and --groups", "ganomaly"),
    ):
        if given and method != owner:
            raise InputError(f"{option}: for {owner} only, not for {method}")
