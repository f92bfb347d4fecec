"""What `keras_explainer.demo.ground_truth` found, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from keras_explainer.cli.metrics_tables import figure_table, number


def show_truth(truth: Mapping[str, Any]) -> None:
    """Prints how filters compare with the parts as they were drawn."""
    console = Console()
    explainer, teacher = truth["explainer"], truth["teacher"]
    table = figure_table(
        f"Truth ({truth['images']} images)", "Explainer", "Teacher", "Control", ""
    )
    table.caption = (
        "Of the filters that track a part, but for tracking and distractors: of all."
    )
    table.caption_justify = "left"

    def row(title: str, path: tuple[str, str], control: Any, meaning: str) -> None:
        values = [figures[path[0]][path[1]] for figures in (explainer, teacher)]
        table.add_row(title, *map(number, [*values, control]), meaning)

    row("tracking ↑", ("tracking", "share"), 0.0, "filters that move with a drawn part")
    for part, share, channels in zip(
        truth["parts"],
        explainer["tracking"]["by_part"],
        teacher["tracking"]["by_part"],
        strict=True,
    ):
        table.add_row(f"  {part}", number(share), number(channels), "", "")
    overlap, presence = explainer["mask_iou"], explainer["presence"]
    row(
        "mask IoU ↑",
        ("mask_iou", "iou"),
        overlap["chance"],
        "overlap with the true mask; control: positions of other images",
    )
    row(
        "presence, precision ↑",
        ("presence", "precision"),
        presence["prevalence"],
        "its part is there when it fires; control: how often it is there",
    )
    row(
        "presence, recall ↑",
        ("presence", "recall"),
        1.0,
        "it fires when its part is there; control: always firing",
    )
    row(
        "presence, AUC ↑",
        ("presence", "auc"),
        0.5,
        "strength tells images with the part from others; control: chance",
    )
    row(
        "on distractors ↓",
        ("distractors", "hits"),
        explainer["distractors"]["chance"],
        "positions on things with a part's texture; control: chance",
    )
    row(
        "follow distractors ↓",
        ("distractors", "share"),
        truth["planted"]["texture_filters"],
        "filters that follow a texture; control: planted ones, all found: 1",
    )
    console.print(table)
    passed = {True: "passed", False: "failed", None: "no distractors"}[
        truth["distractor_test_passed"]
    ]
    console.print(
        f"Distractor test (planted filters told apart): {passed}", highlight=False
    )
