"""`anomgan generator`: registers the commands for generators."""

import typer

from anomgan.cli.generator_classifier import classifier
from anomgan.cli.generator_evaluate import evaluate
from anomgan.cli.generator_import import import_weights
from anomgan.cli.generator_project import project
from anomgan.cli.generator_sample import sample
from anomgan.cli.generator_train import list_methods, train
from anomgan.cli.generator_translate import translate

app = typer.Typer(
    no_args_is_help=True,
    help="Train and use generators: generate images, translate images, measure the results.",
)
app.command("list")(list_methods)
app.command("import")(import_weights)
for verb in (train, sample, translate, project, evaluate, classifier):
    app.command()(verb)
