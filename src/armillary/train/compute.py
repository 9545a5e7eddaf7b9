"""Compute: how many floating-point operations a step of an objective costs, so that objectives get equal shares."""

from collections.abc import Sequence

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from armillary.errors import BadInput
from armillary.sample.stream import Draw
from armillary.train.objective import Objective, module_of


def flops_of(objective: Objective, draws: Sequence[Draw]) -> float:
    """Operations of one step: those of matrix products, convolutions and attention, forward and backward.

    The mean over draws, which must be of equal size; no parameter is changed. A product and its sum count two. What is
    computed without gradients (a momentum encoder, a teacher) counts as well.

    Raises:
        BadInput: no draw, or one in which nothing was measured.
    """
    if not draws:
        raise BadInput("no draw was given to weigh a step by; give one at least")
    module = module_of(objective)
    before, kept = module.training, {k: v.clone() for k, v in module.named_buffers()}
    module.train()
    counter = FlopCounterMode(display=False)
    with torch.random.fork_rng([]), sdpa_kernel(SDPBackend.MATH), counter:  # written out, attention is counted
        for draw in draws:
            terms = objective(draw).values()
            parts = [t.weight * t.sum / t.count for t in terms if t.weight and float(t.count) > 0]
            if not parts:
                raise BadInput("a draw holds nothing to learn from, so a step cannot be weighed; give another")
            torch.stack(parts).sum().backward()  # type: ignore[no-untyped-call]
    for p in module.parameters():
        p.grad = None
    for name, buffer in module.named_buffers():
        buffer.copy_(kept[name])
    module.train(before)
    return counter.get_total_flops() / len(draws)


def steps_for(tera: float, objective: Objective, draws: Sequence[Draw]) -> int:
    """How many steps so many tera operations are, 1 at least."""
    return max(1, round(tera * 1e12 / flops_of(objective, draws)))
