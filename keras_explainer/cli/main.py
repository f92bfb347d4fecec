"""`keras-explainer`: the entry point."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_explainer.cli.call import call
from keras_explainer.cli.commands import Commands
from keras_explainer.cli.demo import demo
from keras_explainer.cli.evaluate import evaluate
from keras_explainer.cli.explain import explain
from keras_explainer.cli.explain_dataset import explain_dataset
from keras_explainer.cli.export import export
from keras_explainer.cli.name_parts import name_parts
from keras_explainer.cli.report import report
from keras_explainer.cli.serve_config import serve_config
from keras_explainer.cli.teacher import teacher_app
from keras_explainer.cli.train import train
from keras_explainer.cli.zoo import zoo_app
from keras_explainer.version import __version__

app = typer.Typer(
    name="keras-explainer",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command()(train)
app.command()(evaluate)
app.command()(explain)
app.command()(name_parts)
app.command()(report)
app.command()(export)
app.command()(serve_config)
app.command()(call)
app.command()(explain_dataset)
app.add_typer(teacher_app, name="teacher")
app.add_typer(zoo_app, name="zoo")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"keras-explainer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what is done.")
    ] = False,
) -> None:
    """Explain a frozen Keras CNN by filters that each follow one object part.

    Learn an explainer for a teacher on photographs, without labels;
    measure it; explain images with it.

    Exit codes: 0 done, 2 an input that cannot be used, 130 interrupted,
    1 anything else.

    [bold]Examples[/bold]

    keras-explainer train --teacher MobileNet --weights imagenet
    --data photos --category dog --out runs/dog

    keras-explainer evaluate runs/dog

    keras-explainer explain runs/dog photos/dog/*.jpg --out explained

    keras-explainer report runs/dog --to reports/dog
    """


def main() -> None:
    """Runs the command line and exits."""
    app()
