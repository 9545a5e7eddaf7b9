"""Schedule: the learning rate as a function of the step alone. Linear warm-up, then half a cosine."""

import math


def rate(step: int, *, lr: float, warmup_steps: int, steps: int, min_lr: float = 0.0) -> float:
    """The learning rate of a step, counted from 0.

    It grows to `lr` in equal parts during the warm-up, the first of them not 0, and then falls to `min_lr`, which the
    step after the last would have.
    """
    if step < warmup_steps:
        return lr * (step + 1) / warmup_steps
    done = min((step - warmup_steps) / max(steps - warmup_steps, 1), 1.0)
    return min_lr + (lr - min_lr) * 0.5 * (1 + math.cos(math.pi * done))
