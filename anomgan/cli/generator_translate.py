"""`anomgan generator translate`: translates images to another domain."""

from pathlib import Path
from typing import Annotated

import typer

from anomgan.cli.batch import Outcome, describe_error, exit_if_failed, file_counts, targets_of
from anomgan.cli.options import DEFAULT_GENERATOR, Device, Generator
from anomgan.cli.say import say
from anomgan.errors import InputError

Out = Annotated[
    Path, typer.Option(help="Folder for the results, PNG files named like the input images.")
]
Images = Annotated[list[Path] | None, typer.Option(help="Image to translate. May be repeated.")]
Dir = Annotated[
    Path | None, typer.Option(help="Translate every image in this folder and its sub-folders.")
]
To = Annotated[
    str | None, typer.Option(help="Target domain; or the attributes that apply, with commas.")
]
Reference = Annotated[
    Path | None, typer.Option(help="StarGAN v2: image of the target domain with the wanted style.")
]
FullSize = Annotated[
    bool,
    typer.Option(
        "--full-size",
        help="Enlarge the model's changes and add them to the image, which keeps its size and "
        "detail.",
    ),
]


def translate(
    out: Out,
    image: Images = None,
    dir: Dir = None,
    to: To = None,
    reference: Reference = None,
    seed: Annotated[int, typer.Option(min=0, help="StarGAN v2: seed of a random style.")] = 0,
    full_size: FullSize = False,
    model: Generator = DEFAULT_GENERATOR,
    device: Device = "auto",
) -> None:
    """Translate images, so that they look like images of another domain.

    Exit codes: 0 done, 2 bad input or settings, 3 some images of a batch could not be read.
    """
    from anomgan.data.decode import read_image
    from anomgan.data.encode import write_png
    from anomgan.generators.loading import load_translator
    from anomgan.machine.progress import progress_bar

    targets = targets_of(image or [], dir, out)
    translator = load_translator(model, device)
    style = translator.style(to, reference, seed)
    outcome = Outcome(len(targets))
    with progress_bar("translating", len(targets)) as report:
        for done, (target, path) in enumerate(targets.items(), start=1):
            try:
                translated = translator.render(
                    read_image(path), style, full_size=full_size, name=str(path)
                )
            except InputError as error:
                outcome.failed += 1
                say(describe_error(error))
            else:
                write_png(target, translated)
            report(done)
    say(file_counts(outcome, f"translated to {to}", out))
    exit_if_failed(outcome)
