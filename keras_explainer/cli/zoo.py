"""`keras-explainer zoo`: list, show, build, export, publish, card, schema, verify."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from keras_explainer.cli.commands import load_libraries
from keras_explainer.cli.export import export
from keras_explainer.cli.key_values import key_values
from keras_explainer.errors import ConfigError

zoo_app = typer.Typer(
    help="The CNNs that the package knows: list, show, build, export, verify.",
    no_args_is_help=True,
)


# Entries of the zoo and runs on its CNNs are exported like all others.
zoo_app.command("export")(export)


@zoo_app.command("list")
def list_cnns(
    pattern: Annotated[
        str | None,
        typer.Argument(help="Part of a name or kind, or a pattern as 'ResNet*'."),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="As Markdown, with all columns.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """The CNNs of the zoo, and what was verified of them.

    [bold]Example[/bold]

    keras-explainer zoo list 'EfficientNet*'
    """
    load_libraries()
    from keras_explainer.zoo.zoo_table import COLUMNS, markdown, zoo_rows

    rows = zoo_rows(pattern)
    if as_json:
        typer.echo(json.dumps([_facts(row) for row in rows], indent=1))
        return
    if as_markdown:
        typer.echo(markdown(rows), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    shown = ("CNN", "kind", "parameters", "image", "tap", "map", "status")
    table = Table(*shown)
    for row in rows:
        cells = dict(zip(COLUMNS, row.cells(), strict=True))
        table.add_row(*(cells[name] for name in shown))
    Console().print(table)


@zoo_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the CNN.")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """All that is known of one CNN: configuration, weights, licence, record."""
    load_libraries()
    import yaml

    from keras_explainer.zoo.public_weights import weights_place
    from keras_explainer.zoo.zoo_config import ZooConfig
    from keras_explainer.zoo.zoo_table import zoo_rows

    config = ZooConfig.named(name)
    row = next(row for row in zoo_rows(name) if row.config.name == name)
    if as_json:
        typer.echo(json.dumps(_facts(row), indent=1))
        return
    facts = _facts(row)
    record = facts.pop("record")
    typer.echo(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True), nl=False)
    for weights in config.weights:
        typer.echo(f"# {weights.file} is kept at, or can be put at: ", nl=False)
        typer.echo(str(weights_place(weights)))
        if weights.sha256 is None:
            typer.echo(f"# sha256 of {weights.file}: unverified")
    if record is not None:
        shown = yaml.safe_dump({"record": record}, sort_keys=False, allow_unicode=True)
        typer.echo(shown, nl=False)


@zoo_app.command()
def build(
    name: Annotated[str, typer.Argument(help="Name of the CNN.")],
    data: Annotated[Path, typer.Option(help="Folder of images.")],
    out: Annotated[Path, typer.Option(help="Folder of the run that is written.")],
    weights: Annotated[
        str,
        typer.Option(
            metavar="public|FILE",
            help="'public' (downloaded once), or a weights file.",
        ),
    ] = "public",
    teacher_arg: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="Argument of the constructor. Repeatable."
        ),
    ] = None,
    category: Annotated[
        str | None, typer.Option(help="Images to use. Default: all.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Text file with class names, one a line.")
    ] = None,
    filters: Annotated[
        int | None, typer.Option(help="Default: the configuration's.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Setting of the recipe. Repeatable."
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Default: the configuration's or recipe's.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the explainer.")] = 0,
    cache_dir: Annotated[
        Path | None, typer.Option(help="Folder for the teacher's features.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a run that is there.")
    ] = False,
) -> None:
    """Learn an explainer of a CNN, by its configuration, from a folder of images.

    [bold]Example[/bold]

    keras-explainer zoo build ResNet50 --data photos --category dog --out runs/dog
    """
    arguments = key_values(teacher_arg, "--teacher-arg")
    changes = key_values(settings, "--set")
    load_libraries()
    from keras_explainer import runs
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.cli.run_summary import show_run
    from keras_explainer.zoo import build_explainer

    with ProgressDisplay() as progress:
        run = build_explainer(
            name,
            data,
            out,
            weights=weights,
            arguments=arguments,
            category=category,
            labels=None if labels is None else runs.read_labels(labels),
            filters=filters,
            changes=changes,
            epochs=epochs,
            seed=seed,
            cache_dir=cache_dir,
            resume=resume,
            overwrite=overwrite,
            progress=progress,
        )
    show_run(run)


@zoo_app.command()
def publish(
    run: Annotated[Path, typer.Argument(help="Folder of a complete run.")],
    registry: Annotated[Path, typer.Option(help="Folder of entries of your own.")],
    name: Annotated[str, typer.Option(help="Name of the entry.")],
    licence: Annotated[str, typer.Option(help="Licence of the explainer.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an entry that is there.")
    ] = False,
) -> None:
    """Put a run into a registry folder: files, records with sha256, model card.

    [bold]Example[/bold]

    keras-explainer zoo publish runs/dog --registry registry --name dog
    --licence CC-BY-4.0
    """
    load_libraries()
    from keras_explainer.zoo import publish as put

    entry = put(run, registry, name, licence=licence, overwrite=overwrite)
    typer.echo(f"{entry.folder}: kx.zoo.load({name!r}, registry={str(registry)!r})")


@zoo_app.command()
def card(
    name: Annotated[str, typer.Argument(help="Name of an entry with an explainer.")],
    registry: Annotated[
        Path | None, typer.Option(help="Folder of entries. Default: the zoo's.")
    ] = None,
) -> None:
    """Print the model card of an explainer, made from its records."""
    load_libraries()
    from keras_explainer.zoo import ZooEntry, model_card

    entry = ZooEntry(name) if registry is None else ZooEntry(name, registry)
    typer.echo(model_card(entry.teacher, entry.explainer), nl=False)


@zoo_app.command()
def schema() -> None:
    """Print the JSON schema of the configurations."""
    load_libraries()
    from keras_explainer.zoo import ZooConfig

    typer.echo(ZooConfig.schema_text(), nl=False)


@zoo_app.command()
def verify(
    name: Annotated[str | None, typer.Argument(help="Name of the CNN.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All CNNs.")] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Leave out what passed already, with this configuration and Keras.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be verified.")
    ] = False,
    records: Annotated[
        Path | None, typer.Option(help="Folder for the records. Default: the zoo's.")
    ] = None,
    workers: Annotated[
        int,
        typer.Option(help="CNNs side by side; the large ones come last, one by one."),
    ] = 1,
) -> None:
    """Prove that a CNN works as a teacher, with random weights, and record it.

    Builds it, cuts it, compares the parts with the whole, learns two steps of
    an explainer, saves, reloads, compares, exports, compares. Each CNN has a process of
    its own.

    [bold]Examples[/bold]

    keras-explainer zoo verify ResNet50

    keras-explainer zoo verify --all --resume --workers 2
    """
    if (name is None) != every:
        raise ConfigError("verify takes the name of a CNN, or --all.")
    load_libraries()
    from keras_explainer.cli.progress_display import ProgressDisplay
    from keras_explainer.errors import ZooError
    from keras_explainer.zoo.verify_all import pending, verify_all
    from keras_explainer.zoo.zoo_record import RECORDS

    folder = records or RECORDS
    names = pending(None if name is None else [name], folder, resume)
    if dry_run:
        for todo in names:
            typer.echo(todo)
        typer.echo(f"{len(names)} to verify; records go to {folder}.", err=True)
        return
    failed = []
    with ProgressDisplay() as progress:
        for record in verify_all(names, folder, progress, workers=workers):
            figures = record.figures
            line = f"{record.name}: {record.status}"
            if record.error:
                failed.append(record.name)
                line += f". {record.error}"
            else:
                line += (
                    f" in {figures['seconds']:.0f} s, {figures['peak_memory_gib']} GiB;"
                    f" the cut differs by {figures['cut_difference']:.1e}, a reload by "
                    f"{figures['reload_difference']:.1e}"
                )
            typer.echo(line)
    if failed:
        raise ZooError(f"{len(failed)} of {len(names)} failed: {', '.join(failed)}.")


def _facts(row: Any) -> dict[str, Any]:
    """Configuration and record of a row as JSON-able data."""
    from dataclasses import asdict

    return {
        **row.config.model_dump(mode="json"),
        "status": row.status,
        "record": None if row.record is None else asdict(row.record),
    }
