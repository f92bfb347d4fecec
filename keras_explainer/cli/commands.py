"""How every command starts and ends: quiet libraries, errors as one line."""

from __future__ import annotations

import logging
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from keras_explainer.cli.quiet_start import quiet_start
from keras_explainer.errors import KerasExplainerError

ERROR, INTERRUPTED, UNEXPECTED = 2, 130, 1


class Commands(TyperGroup):
    """The group of all commands; turns errors into messages and exit codes."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command; see the exit codes in the help."""
        debug = bool(ctx.params.get("debug"))
        handler = _start_logging(bool(ctx.params.get("verbose")))
        try:
            return super().invoke(ctx)
        except KerasExplainerError as error:
            if debug:
                raise
            _say(f"Error: {_one_line(error)}")
            raise typer.Exit(ERROR) from error
        except KeyboardInterrupt as error:
            if debug:
                raise
            _say("Interrupted." + _how_to_go_on(ctx))
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            if debug or _is_own(error):
                raise
            _say(
                f"Unexpected error: {type(error).__name__}: {_one_line(error)}\n"
                "Run `keras-explainer --debug ...` to see where, and please report it."
            )
            raise typer.Exit(UNEXPECTED) from error
        finally:
            logging.getLogger("keras_explainer").removeHandler(handler)


def load_libraries() -> None:
    """Imports Keras and its backend without their start-up messages."""
    with quiet_start():
        import keras

        # The backend looks for devices, and says so, when it is first used.
        keras.ops.convert_to_numpy(keras.ops.zeros(1))


def _is_own(error: Exception) -> bool:
    """Whether it is a message or an exit of the command line itself."""
    return type(error).__module__.split(".")[0] in ("typer", "click")


def _how_to_go_on(ctx: Any) -> str:
    if ctx.invoked_subcommand == "explain-dataset":
        return " What was done is kept: give the same command to go on."
    if ctx.invoked_subcommand not in ("train", "demo", "teacher", "zoo"):
        return ""
    return " What was done is kept: give the same command with --resume to go on."


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _say(message: str) -> None:
    typer.echo(message, err=True)


def _start_logging(verbose: bool) -> logging.Handler:
    from rich.console import Console
    from rich.logging import RichHandler

    handler = RichHandler(
        console=Console(file=sys.stderr), show_path=False, show_time=False
    )
    logger = logging.getLogger("keras_explainer")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    return handler
