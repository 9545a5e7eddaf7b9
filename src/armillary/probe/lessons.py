"""Lessons: a head, and perhaps the model below it, trained for some epochs by AdamW and a cosine.

The learning rate and the epoch are those that do best on validation items.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from armillary.probe.asked import Learned, Question
from armillary.probe.choosing import best, inner_splits, score, with_truth
from armillary.probe.heads import Head
from armillary.probe.losses import Level, cost, finished, level_of
from armillary.train.schedule import rate

Answers = tuple[Float[Tensor, "b k ..."], ...]


class Pupil(nn.Module):
    """What learns: a head, and what it stands on.

    `quick` are parameters that learn at the whole rate, `slow` those that learn at a tenth of it (`SLOWER`).
    """

    head: Head

    def quick(self) -> list[nn.Parameter]:
        """Of the head."""
        raise NotImplementedError

    def slow(self) -> list[nn.Parameter]:
        """Of the model below it."""
        raise NotImplementedError

    def forward(self, items: Sequence[int], rng: torch.Generator | None) -> tuple[Answers, list[Tensor]]:
        """The head's answers for items and, while it learns, their truths.

        With an rng both may be shown flipped or turned; with None items are shown as they are, without their truths.
        """
        raise NotImplementedError


SLOWER = 0.1
"""Of the learning rate, for what was trained before."""


@dataclass(frozen=True)
class Course:
    """How a pupil is trained.

    Args:
        rates: learning rates among which one is chosen; each is a training of its own.
        epochs: passes over the items.
        batch: items of one step.
        weight_decay: of AdamW.
    """

    rates: tuple[float, ...]
    epochs: int
    batch: int
    weight_decay: float = 0.01


@dataclass(frozen=True)
class Epoch:
    """What one pass over the items came to."""

    number: int
    loss: float


def lessons(
    pupil: Pupil, asked: Question, items: Int[np.ndarray, " m"], course: Course, lr: float, rng: torch.Generator
) -> Iterator[Epoch]:
    """Train a pupil on some items, one epoch at a time. A last batch of one item is shown twice, for the BatchNorm."""
    level = level_of(asked, items)
    groups = [{"params": pupil.quick(), "share": 1.0}, {"params": pupil.slow(), "share": SLOWER}]
    optimiser = torch.optim.AdamW([g for g in groups if g["params"]], lr=lr, weight_decay=course.weight_decay)
    steps = math.ceil(len(items) / course.batch)
    for epoch in range(course.epochs):
        pupil.head.train()
        total = 0.0
        for i, chosen in enumerate(torch.split(torch.randperm(len(items), generator=rng), course.batch)):
            shown = items[chosen.numpy()].tolist()
            now = rate(epoch * steps + i, lr=lr, warmup_steps=0, steps=steps * course.epochs)
            for group in optimiser.param_groups:
                group["lr"] = now * group["share"]
            outs, truths = pupil(shown * 2 if len(shown) == 1 else shown, rng)
            weights = (1.0, *pupil.head.beside)
            loss = torch.stack([w * cost(asked.answer, o, truths, level) for w, o in zip(weights, outs, strict=True)])
            optimiser.zero_grad(set_to_none=True)
            loss.sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            total += float(loss.detach().sum()) * len(shown)
        yield Epoch(epoch + 1, total / len(items))


def taught(make: Callable[[torch.Generator], Pupil], asked: Question, course: Course, seed: int) -> Learned:
    """The best pupil of all rates and epochs.

    Without validation items the rate is chosen on one fold of the training items, and all of them teach to the last
    epoch.

    Args:
        make: a new pupil, of which every rate gets the same.
        asked: what is asked.
        course: how it is trained.
        seed: of everything that is drawn.
    """
    splits = inner_splits(asked, seed)
    lr, epoch = course.rates[len(course.rates) // 2], course.epochs
    pupil: Pupil | None = None
    if splits and (len(asked.parts.val) or len(course.rates) > 1):
        train = with_truth(asked, splits[0].train)
        lr, epoch, pupil = _judged(make, asked, (train, splits[0].test), course, seed)
    everyone = with_truth(asked, asked.parts.train)
    if pupil is None or not len(asked.parts.val):
        rng = torch.Generator().manual_seed(seed)
        pupil, epoch = make(rng), course.epochs
        for _ in lessons(pupil, asked, everyone, course, lr, rng):
            pass
    level, done = level_of(asked, everyone), pupil
    return Learned(
        lambda items: told(done, asked, items, course.batch, level), {"lr": float(lr), "epoch": float(epoch)}
    )


def told(pupil: Pupil, asked: Question, items: Int[np.ndarray, " q"], batch: int, level: Level) -> Iterator[np.ndarray]:
    """Predictions, in order; of a truth its shape alone is looked at."""
    pupil.head.eval()
    for start in range(0, len(items), batch):
        some = items[start : start + batch].tolist()
        with torch.inference_mode():
            (out, *_), _ = pupil(some, None)
        for item, o in zip(some, out, strict=True):
            yield finished(asked.answer, o, np.asarray(asked.truths[item]).shape, level)


def _judged(
    make: Callable[[torch.Generator], Pupil],
    asked: Question,
    split: tuple[Int[np.ndarray, " m"], Int[np.ndarray, " v"]],
    course: Course,
    seed: int,
) -> tuple[float, int, Pupil]:
    """The rate and the epoch that do best on the judges, and that pupil."""
    train, judges = split
    level, truths = level_of(asked, train), [asked.truths[i] for i in judges]
    found: list[float] = []
    kept: tuple[Pupil, dict[str, Tensor]] | None = None
    for lr in course.rates:
        rng = torch.Generator().manual_seed(seed)
        pupil = make(rng)
        for _ in lessons(pupil, asked, train, course, lr, rng):
            found.append(score(asked.answer, told(pupil, asked, judges, course.batch, level), truths))
            if best(found) == len(found) - 1:
                kept = pupil, _state(pupil)
    assert kept is not None  # noqa: S101 (the first epoch is best at first)
    which, epoch = divmod(best(found), course.epochs)
    kept[0].load_state_dict(kept[1], strict=False)
    return course.rates[which], epoch + 1, kept[0]


def _state(pupil: Pupil) -> dict[str, Tensor]:
    """What training changes."""
    moved = {n: p.detach().clone() for n, p in pupil.named_parameters() if p.requires_grad}
    return moved | {n: b.detach().clone() for n, b in pupil.named_buffers()}
