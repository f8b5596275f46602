"""Registers all commands, and turns errors into one line on standard error."""

import os
import signal
import sys
import warnings
from contextlib import suppress
from errno import ENOSPC
from importlib.metadata import version
from inspect import getdoc
from io import TextIOWrapper
from shutil import get_terminal_size
from typing import Annotated

import typer

from anomgan.cli.backbones import backbones
from anomgan.cli.benchmark import app as benchmark
from anomgan.cli.check import check
from anomgan.cli.demo import demo
from anomgan.cli.detectors import detectors
from anomgan.cli.evaluate import evaluate
from anomgan.cli.export import export
from anomgan.cli.fit import fit
from anomgan.cli.generator import app as generator
from anomgan.cli.info import info
from anomgan.cli.limits import limits
from anomgan.cli.recalibrate import recalibrate
from anomgan.cli.score import score
from anomgan.cli.serve import serve
from anomgan.cli.watch import watch
from anomgan.errors import AnomganError, Interrupted
from anomgan.machine.names import escaped
from anomgan.machine.stopping import TERMINATED, sigterm_interrupts

app = typer.Typer(
    help="Find defects in images with GANs that are trained on good parts only.\n\n"
    "Start with `anomgan demo`. Then run `anomgan fit --normal-dir ok/` on images of good parts, "
    "and `anomgan score --image part.png --heatmap` on new images.",
    no_args_is_help=True,
    rich_markup_mode=None,  # rich's panels cut option names off on a narrow terminal
    pretty_exceptions_enable=False,
)
OUT_OF_MEMORY = (
    "there is not enough memory; close other programs, or choose a smaller backbone.long_side (in "
    "feature space) or training.batch_size with --set, or --device cpu"
)
SIGPIPE = 13
"""Number of the signal, which Python lacks on Windows."""
VERBS = (
    *(check, fit, score, watch, serve, recalibrate, export),
    *(evaluate, limits, info, detectors, backbones, demo),
)
for verb in VERBS:
    app.command()(verb)
app.add_typer(benchmark, name="benchmark")
app.add_typer(generator, name="generator")
for group in (app, benchmark, generator):  # lists of commands have whole sentences
    group.info.short_help = group.info.help
    for command in group.registered_commands:
        command.short_help = (getdoc(command.callback) or "").split("\n\n")[0]


def _is_of_memory(error: Exception) -> bool:
    """Whether memory ran out, that of a GPU or of the machine."""
    signs = ("out of memory", "can't allocate memory")
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in signs)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"anomgan {version('anomgan')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; known errors become one message and an exit code.

    SIGTERM acts as Ctrl-C does, but the exit code is that of a program that it has ended. So is the
    exit code when the reader of the output has left, as in `anomgan score ... | head`.
    """
    with sigterm_interrupts():
        try:
            _run()
        except SystemExit as done:
            if isinstance(done.__context__, BrokenPipeError):  # typer and rich exit with 1
                sys.exit(128 + SIGPIPE)
            if done.code == Interrupted.exit_code and TERMINATED.is_set():
                sys.exit(128 + signal.SIGTERM)
            raise


def _run() -> None:
    # OpenMP threads that spin while they wait take cores from other programs: two commands at the
    # same time are 4 to 9 times slower. torch reads this variable when a command imports it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    warnings.simplefilter("ignore")  # warnings of libraries; the commands print their own
    if isinstance(sys.stdout, TextIOWrapper):  # not when tests capture the output
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may not be valid text
    try:
        # With the name that typer finds, `python -m anomgan --install-completion` would complete
        # the arguments of every `python`.
        app(prog_name="anomgan", terminal_width=get_terminal_size().columns)
    except AnomganError as error:
        number = int(os.environ.get("RANK", 0))  # of the processes that torchrun starts
        name = f"anomgan (process {number})" if number else "anomgan"
        lines = "\n".join(escaped(str(line)) for line in error.args)
        print(f"{name}: {lines}", file=sys.stderr)
        sys.exit(error.exit_code)
    except (MemoryError, RuntimeError) as error:  # torch raises the latter
        if not _is_of_memory(error):
            raise
        print(f"anomgan: {OUT_OF_MEMORY}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        # Of standard output: what writes files makes its own errors.
        print(f"anomgan: cannot write the output: {error.strerror}", file=sys.stderr)
        with suppress(OSError):
            sys.stdout.close()  # or Python tries again, and prints a traceback
        sys.exit(2)
