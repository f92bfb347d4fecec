"""`keras-explainer explain-dataset`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from keras_explainer.cli.options import Contributions, ExplainedClass, class_of


def explain_dataset(
    model: Annotated[
        Path,
        typer.Argument(help="An exported version, or the folder with the versions."),
    ],
    input_: Annotated[
        Path,
        typer.Option(
            "--input",
            help="A file, or a folder with files at any depth: images, Parquet with a "
            "column of encoded images, or TFRecord.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="Folder for the Parquet files. Of the same job: it goes on there."
        ),
    ],
    engine: Annotated[
        str,
        typer.Option(
            metavar="local|spark", help="Processes of this machine, or a cluster."
        ),
    ] = "local",
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, or executors of one core each.")
    ] = 1,
    class_: ExplainedClass = None,
    contributions: Contributions = True,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="images|parquet|tfrecord",
            help="Of the input. Default: that of the first file.",
        ),
    ] = None,
    image_column: Annotated[
        str | None,
        typer.Option(
            help="Column or feature with the encoded image. Default: the only column "
            "of bytes; image/encoded or image."
        ),
    ] = None,
    id_column: Annotated[
        str | None,
        typer.Option(
            help="Column or feature with the image's name. Default: image_id, id, path "
            "or the like, if there is one; else FILE:ROW."
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images that the model takes at a time.")
    ] = 32,
    rows_per_part: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Images of a Parquet file, the most that a stop costs. Default: by "
            "images and workers, 32 to 1024.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of TensorFlow in a worker. Default: the cores' share; Spark: 1.",
        ),
    ] = None,
    master: Annotated[
        str | None,
        typer.Option(
            help="Of Spark, such as spark://host:7077 or yarn. Default: that of "
            "spark-submit, else threads of this machine."
        ),
    ] = None,
    ship_model: Annotated[
        bool,
        typer.Option(
            "--ship-model", help="Send the model to Spark's workers, which lack it."
        ),
    ] = False,
) -> None:
    """Explain any number of images by an exported model: a row of Parquet for each.

    A bad image becomes a row with its error. The same command goes on after a stop,
    and neither repeats nor loses a row.

    [bold]Examples[/bold]

    keras-explainer explain-dataset models/dog --input photos --output explained
    --workers 2

    keras-explainer explain-dataset models/dog --input shards --output explained
    --engine spark --master spark://host:7077 --workers 8
    """
    from keras_explainer.batch_inference import explain_dataset as explain
    from keras_explainer.cli.progress_display import ProgressDisplay

    with ProgressDisplay() as progress:
        manifest = explain(
            model,
            input_,
            output,
            engine=engine,
            workers=workers,
            class_index=class_of(class_),
            contributions=contributions,
            kind=kind,
            image_column=image_column,
            id_column=id_column,
            batch_size=batch_size,
            rows_per_part=rows_per_part,
            threads=threads,
            master=master,
            ship_model=ship_model,
            progress=lambda done, total: progress("Images", done, total, {}),
        )
    typer.echo(
        f"{manifest['rows']} images, {manifest['errors']} of them bad: "
        f"{output} ({manifest['parts']} files)"
    )
