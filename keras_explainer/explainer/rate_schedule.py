"""How a learning rate rises and falls over the steps of a fit."""

from __future__ import annotations

import keras


def rate_schedule(
    rate: float, steps: int
) -> keras.optimizers.schedules.LearningRateSchedule:
    """Warm-up over a tenth of the steps, then a cosine decay to a fiftieth.

    Args:
        rate: the highest.
        steps: of the whole fit, at least 1.
    """
    warm = max(1, steps // 10)
    return keras.optimizers.schedules.CosineDecay(
        rate / 20,
        decay_steps=max(1, steps - warm),
        alpha=0.02,
        warmup_target=rate,
        warmup_steps=warm,
    )
