"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunOrName = Annotated[
    str,
    typer.Argument(
        metavar="RUN|NAME", help="Folder of the run, or an explainer of the zoo."
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Folder of images. Default: that of the run. Images that were learned "
        "from are left out."
    ),
]
Category = Annotated[
    str | None,
    typer.Option(
        help="Name, wnid or sub-folder of the images. Default: that of the run; '' "
        "for all."
    ),
]
ExplainedClass = Annotated[
    str | None,
    typer.Option(
        "--class",
        metavar="INDEX|LABEL",
        help="Class that is explained; by default the teacher's own, image by image.",
    ),
]
Contributions = Annotated[
    bool, typer.Option(help="Say how much each part adds to the class' logit.")
]
ExplanationsFile = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE|-",
        help="Where the explanations go instead; '-' prints them.",
    ),
]
PartNamesFile = Annotated[
    Path | None,
    typer.Option(
        help="File with the names of the filters' parts; by default the run's own "
        "part_names.json, if there is one."
    ),
]
TeacherFile = Annotated[
    Path | None, typer.Option(help="The teacher's file, if it has been moved.")
]
OnBadAsInRun = Annotated[
    str | None,
    typer.Option(
        metavar="skip|raise",
        help="What to do with files that cannot be read. Default: as in the run.",
    ),
]


def class_of(given: str | None) -> int | str | None:
    """The index or label that `--class` names; None for the teacher's own class."""
    return int(given) if given is not None and given.isdecimal() else given
