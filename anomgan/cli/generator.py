"""`anomgan generator`: puts together the verbs for generators by themselves."""

import typer

from anomgan.cli.generator_classifier import classifier
from anomgan.cli.generator_evaluate import evaluate
from anomgan.cli.generator_project import project
from anomgan.cli.generator_sample import sample
from anomgan.cli.generator_train import list_methods, train
from anomgan.cli.generator_translate import translate

app = typer.Typer(
    no_args_is_help=True,
    help="Train generators and use them: draw images, translate photographs, measure the results.",
)
app.command("list")(list_methods)
for verb in (train, sample, translate, project, evaluate, classifier):
    app.command()(verb)
