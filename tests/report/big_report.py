"""A page of as many filters and images as wanted, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from nasty import NASTY

from keras_explainer.datasets import ImageArray
from keras_explainer.report.answers_log import AnswersLog, Disagreement
from keras_explainer.report.content import BUDGET, Content, _side
from keras_explainer.report.image_bank import ImageBank
from keras_explainer.report.page import page
from keras_explainer.results import (
    ClassScore,
    Contributions,
    ExplainerSummary,
    Explanation,
    Explanations,
    FilterSummary,
    PartFinding,
    TopImage,
)

SIZE, MAP = (224, 224), (14, 14)


def finding(random: np.random.Generator, filter: int) -> PartFinding:
    row, column = (int(value) for value in random.integers(0, 14, 2))
    return PartFinding(
        filter=filter,
        present=True,
        strength=float(random.uniform(1, 5)),
        relative_strength=float(random.uniform(1, 9)),
        cell=(row, column),
        position=(16.0 * row + 8, 16.0 * column + 8),
        box=(0.0, 0.0, 20.0, 20.0),
        name=NASTY if filter == 3 else None,
        contribution=float(random.normal()),
    )


def summary_of(filters: int, top: int, images: int, seed: int = 0) -> ExplainerSummary:
    """A made-up summary; filters share no top image as far as there are enough."""
    random = np.random.default_rng(seed)
    use = random.dirichlet(np.ones(filters))
    ones = []
    for f in range(filters):
        dead = f == 1
        ones.append(
            FilterSummary(
                filter=f,
                name=NASTY if f == 3 else None,
                dead=dead,
                present_share=0.0 if dead else float(random.uniform(0.1, 1)),
                mean_position=None if dead else (float(random.uniform(0, 224)), 112.0),
                position_spread=None if dead else 0.2,
                information=float(random.uniform(0, 3)),
                location_instability=None if dead else 0.08,
                tracked_part=("head", "tail")[f % 2] if f % 3 == 0 else None,
                tracking_share=0.9 if f % 3 == 0 else 0.0,
                tracking_r2=0.7 if f % 3 == 0 else None,
                activation_share=1 / filters,
                contribution=float(random.normal()),
                use=float(use[f]),
                group=0 if f in (0, 2) else None,
                look_alikes=((2, 0.8),) if f == 0 else ((0, 0.8),) if f == 2 else (),
                top=()
                if dead
                else tuple(
                    TopImage(
                        index=(f * top + at) % images,
                        image=f"images/<b>{(f * top + at) % images}</b>.jpg",
                        finding=finding(random, f),
                    )
                    for at in range(top)
                ),
            )
        )
    return ExplainerSummary(
        teacher="VGG16",
        tap="block5_conv3",
        fingerprint="ab" * 32,
        share=0.1,
        images=images,
        annotated_images=images,
        image_size=SIZE,
        map_size=MAP,
        beta=4.0,
        part_names=("head", "tail"),
        contributions="integrated_gradients",
        information_images=256,
        information_limit=5.3,
        constant_instability=0.069,
        groups=((0, 2),),
        filters=tuple(ones),
    )


def explanations_of(count: int) -> Explanations:
    random = np.random.default_rng(1)
    cat, dog = (
        ClassScore(class_index=at, label=label, score=0.7, logit=2.0)
        for at, label in enumerate((NASTY, "dog"))
    )
    items = tuple(
        Explanation(
            index=at,
            image=f"photo {at}.jpg",
            image_size=SIZE,
            answer=cat,
            explained=cat,
            reconstruction=cat,
            reconstruction_answer=dog if at == 2 else cat,
            activation="softmax",
            share=0.1,
            filters=128,
            map_size=MAP,
            beta=4.0,
            parts=tuple(finding(random, f) for f in range(10)),
            contributions=Contributions(
                method="integrated_gradients",
                filters=1.0,
                ordinary=2.0,
                baseline=0.1,
                change=3.0,
                steps=32,
            ),
        )
        for at in range(count)
    )
    return Explanations(
        items=items,
        teacher="VGG16",
        tap="block5_conv3",
        fingerprint="ab" * 32,
        share=0.1,
        filters=128,
    )


def photographs(count: int) -> np.ndarray:
    """Noise over coarse colours, which compresses worse than most photographs."""
    random = np.random.default_rng(2)
    coarse = random.integers(0, 256, (count, 14, 14, 3), "uint8")
    images = coarse.repeat(16, 1).repeat(16, 2)
    return images // 2 + random.integers(0, 90, images.shape, "uint8")


def write_page(
    path: Path, filters: int, top: int, images: int, metrics: dict[str, Any]
) -> Path:
    """Writes the page; `images` distinct ones."""
    pictures = ImageArray(photographs(images))
    summary = summary_of(filters, top, images)
    wanted = [image.index for one in summary.by_use for image in one.top]
    gallery = ImageBank(pictures, _side(len(set(wanted))), BUDGET)
    gallery.add(wanted)
    shown = ImageBank(pictures, 416, 2_500_000)
    shown.add(range(6))
    answers = AnswersLog()
    answers.images, answers.count = images, 1
    answers.disagreements = [
        Disagreement(
            index=2,
            teacher=NASTY,
            teacher_score=0.7,
            explainer="dog",
            explainer_score=0.6,
        )
    ]
    history = [
        {"epoch": epoch, "loss": 1 / epoch, "val_loss": 1.2 / epoch, "p": 0.3}
        for epoch in range(1, 9)
    ]
    content = Content(
        summary=summary,
        answers=answers,
        explanations=explanations_of(6),
        numbers=list(range(6)),
        gallery=gallery,
        pictures=shown,
        metrics=metrics,
        history=history,
        notes=[("Teacher", NASTY)],
    )
    path.write_text(page(content, f"run: {NASTY}", "today"), encoding="utf-8")
    return path


def metrics_of() -> dict[str, Any]:
    """A `metrics.json`, as far as a page needs one."""
    parts = {
        "part_tracking_share": 0.77,
        "location_instability": 0.071,
        "landmark_error": 0.08,
        "landmark_mean_predictor": 0.15,
        "distinct_positions": 11.0,
        "concentration": 0.9,
        "filter_correlation": 0.2,
        "dead_filters": 1,
        "filters": 128,
    }
    track = {"explained_variance": {"top": -1.0, "logits": -1.2}, "top1_agreement": 0.1}
    return {
        "data": {"images": 300, "content_hash": "", "annotated_images": 300},
        "teacher": {**parts, "accuracy": 0.9},
        "explainer": {
            **parts,
            "p": 0.1,
            "p_variance_share": 0.02,
            "explained_variance": {"top": 0.8, "logits": 0.78},
            "kl": 0.1,
            "top1_agreement": 0.87,
            "top1_constant": 0.7,
            "without_ordinary": track,
            "without_interpretable": track,
            "accuracy": None,
        },
        "baselines": {"constant_position": parts},
    }
