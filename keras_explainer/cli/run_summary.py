"""What is shown when a run has been learned."""

from __future__ import annotations

import typer

from keras_explainer.cli.left_out import show_bad
from keras_explainer.runs import RunFolder

_SHOWN = {
    "loss": "loss",
    "p": "p, the interpretable track's share",
    "explained_variance_logits": "explained variance of the logits",
    "top1_agreement": "agreement with the teacher's answers",
    "dead_filters": "dead filters",
}


def show_run(run: RunFolder) -> None:
    """Prints where the run is, its last figures, and what was left out."""
    config, rows = run.config, run.history
    facts = config.facts
    if facts is not None:
        typer.echo(
            f"{run.path}: {config.explainer.filters} filters for {facts.teacher}, "
            f"learned from {facts.train_images} images in {len(rows)} epochs."
        )
        show_bad([f"{bad['path']} {bad['reason']}" for bad in facts.bad])
    last = rows[-1] if rows else {}
    for name, text in _SHOWN.items():
        if last.get(name) is not None:
            typer.echo(f"  {text}: {last[name]:.4g}")
    typer.echo(f"Measure it: keras-explainer evaluate {run.path}")
