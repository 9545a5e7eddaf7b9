"""The loop: draws in, steps out. A generator, so that the caller decides what is logged, saved, or the end.

Every step begins with random generators seeded from (seed, step, process, part), and leaves the caller's as they were.
So no state of a generator has to be kept: parameters, optimiser, averages and the number of the step are all there is.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import BadInput, Diverged
from armillary.nn.block import Block
from armillary.nn.ema import Ema, trained
from armillary.sample.stream import Draw, Stream
from armillary.train.config import TrainConfig
from armillary.train.devices import Devices, open_devices
from armillary.train.objective import Counting, Objective, Term, module_of
from armillary.train.schedule import rate
from armillary.train.tally import Tally

Scalars = dict[str, Float[Tensor, ""]]

_EVALUATION = 2**32
"""In the place of a part's number: evaluations have random numbers of their own."""


@dataclass(frozen=True)
class Step:
    """What one step did.

    Args:
        index: counted from 0.
        loss: over all processes.
        terms: mean of each term, before its weight.
        lr: learning rate.
        grad_norm: of all gradients together, before clipping.
        samples: items seen since the first step.
        samples_per_s: items of this step per second, waiting for data included.
        waiting: share of that time that was spent waiting for data, 0 to 1.
    """

    index: int
    loss: float
    terms: Mapping[str, float]
    lr: float
    grad_norm: float
    samples: int
    samples_per_s: float = field(default=math.nan, compare=False)
    waiting: float = field(default=math.nan, compare=False)


class Training:
    """All that changes while a training goes on.

    Args:
        objective: what is minimised; it is moved to the devices.
        config: how.
        devices: where; None opens those of the configuration.
    """

    def __init__(self, objective: Objective, config: TrainConfig, devices: Devices | None = None) -> None:
        self.config = config
        self.devices = open_devices(config) if devices is None else devices
        self.objective, self.module = objective, module_of(objective)
        self.step = 0
        self._whole = _Whole(objective, touch=self.devices.shards)
        self.devices.place(self._whole)
        for block in self.module.modules() if config.compile else ():
            if isinstance(block, Block):
                block.compile()
        self.optimiser = config.optim.build(self.module)
        self.ema = None if config.ema_decay is None else Ema(self.module, config.ema_decay)
        self._tally = Tally(self.devices)

    def take(self, draw: Draw) -> Step:
        """One update of the parameters.

        Raises:
            BadInput: nothing in the batch was measured.
            Diverged: the loss or a gradient is no finite number; the parameters are as before the step.
        """
        self.module.train()
        self.optimiser.zero_grad(set_to_none=True)
        parts = draw.split(self.config.accumulate)
        counts = self._count(parts) if len(parts) > 1 else {}
        sums: Scalars = {}
        loss = torch.zeros((), device=self.devices.device)
        for i, part in enumerate(parts):
            terms, touch = self._forward(part, i)
            counts = counts or self._tally.sum({k: t.count for k, t in terms.items()})
            here = _loss(terms, counts) + touch
            if here.requires_grad:
                (here * self.devices.ranks if self.devices.shards else here).backward()  # type: ignore[no-untyped-call]
            loss = loss + here.detach()
            _add(sums, {k: t.sum for k, t in terms.items()})
        if not any(float(n) > 0 for n in counts.values()):
            raise BadInput(
                f"at step {self.step} none of the {self.config.batch_size} places of the batch holds anything that was "
                "measured, so there is nothing to learn from; look at the data, or give a larger batch_size"
            )
        self.devices.sum_gradients(self.module)
        return self._update(sums, counts, loss)

    @torch.no_grad()
    def held_out(self, draws: Sequence[Draw]) -> dict[str, float]:
        """Loss and mean of each term over draws that nothing is learned from, by the averages where they are kept."""
        self.module.eval()
        sums: Scalars = {}
        counts: Scalars = {}
        weights: dict[str, float] = {}
        with self.averaged():
            for i, draw in enumerate(draws):
                terms, _ = self._forward(draw, _EVALUATION + i)
                _add(sums, {k: t.sum for k, t in terms.items()})
                _add(counts, {k: t.count for k, t in terms.items()})
                weights |= {k: t.weight for k, t in terms.items()}
            self.devices.let_go(self._whole)
        everywhere = self._tally.sum(counts)
        loss = _loss({k: Term(s, counts[k], weights[k]) for k, s in sums.items()}, everywhere)
        return _means(self._tally.sum({**sums, "": loss}), everywhere)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averages stand in the objective while the block runs, where they are kept."""
        with nullcontext() if self.ema is None else self.ema.swapped(self.module):
            yield

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Copies on the CPU of all that a later run needs: model, optim and ema, each by name. All processes ask."""
        whole = self.devices.whole
        names = {id(p): n for n, p in trained(self.module)}
        optim = {
            f"{key}/{names[id(p)]}": whole(value)
            for p, state in self.optimiser.state.items()
            for key, value in state.items()
        }
        model = {n: whole(t) for n, t in self._kept()}
        ema = {} if self.ema is None else {n: whole(t) for n, t in self.ema.averages.items()}
        return {"model": model, "optim": optim, "ema": ema}

    def restore(self, tensors: Mapping[str, Mapping[str, Tensor]], *, step: int) -> None:
        """Go on from what `tensors` gave when `step` steps were done.

        Raises:
            BadInput: it is of another objective.
        """
        kept = dict(self._kept())
        if kept.keys() != tensors["model"].keys():
            odd = ", ".join(sorted(kept.keys() ^ tensors["model"].keys())[:5])
            raise BadInput(f"the checkpoint is of another objective: {odd} differ; resume with the one that wrote it")
        for name, tensor in kept.items():
            self.devices.fill(tensor, tensors["model"][name])
        parameters = dict(trained(self.module))
        for name, values in tensors["optim"].items():
            key, _, of = name.partition("/")
            self.optimiser.state[parameters[of]][key] = self._like(parameters[of], key, values)
        if self.ema is not None:
            self.ema.updates = step
            for name, values in tensors["ema"].items():
                self.devices.fill(self.ema.averages[name], values)
        self.step = step

    def _kept(self) -> Iterator[tuple[str, Tensor]]:
        """What is learned, and buffers; what is frozen is made again by whoever makes the objective."""
        yield from trained(self.module)
        state = self.module.state_dict(keep_vars=True)
        yield from ((n, b) for n, b in self.module.named_buffers() if n in state)

    def _like(self, parameter: Tensor, key: str, values: Tensor) -> Tensor:
        if key == "step":
            return values.to(self.devices.device)
        mine = torch.zeros_like(parameter)
        self.devices.fill(mine, values)
        return mine

    def _count(self, parts: Sequence[Draw]) -> Scalars:
        """Counts over all parts and processes, before any part is learned from."""
        counts: Scalars = {}
        for i, part in enumerate(parts):
            if isinstance(self.objective, Counting):
                _add(counts, {k: torch.tensor(float(n)) for k, n in self.objective.counts(part).items()})
            else:
                with torch.no_grad():
                    _add(counts, {k: t.count for k, t in self._forward(part, i)[0].items()})
        return self._tally.sum(counts)

    def _forward(self, part: Draw, number: int) -> tuple[Mapping[str, Term], Tensor]:
        with self.devices.autocast(), _seeded((self.config.seed, self.step, self.devices.rank, number), self.devices):
            found, touch = self._whole(part)
        return {name: Term(*values) for name, values in found.items()}, touch

    def _update(self, sums: Scalars, counts: Scalars, loss: Tensor) -> Step:
        optim, config = self.config.optim, self.config
        clip = math.inf if optim.clip is None else optim.clip
        norm = float(self.devices.whole(nn.utils.clip_grad_norm_(self.module.parameters(), clip)))
        means = _means(self._tally.sum({**sums, "": loss}), counts)
        if not (math.isfinite(means["loss"]) and math.isfinite(norm)):
            odd = ", ".join(f"{k} {v:g}" for k, v in means.items())
            raise Diverged(
                f"at step {self.step} the loss is no finite number ({odd}, gradient {norm:g}); begin again "
                "in a new -o with a lower optim.lr or a longer optim.warmup_steps"
            )
        lr = rate(self.step, lr=optim.lr, warmup_steps=optim.warmup_steps, steps=config.steps, min_lr=optim.min_lr)
        for group in self.optimiser.param_groups:
            group["lr"] = lr
        self.optimiser.step()
        if self.ema is not None:
            self.ema.update(self.module)
        self.step += 1
        terms = {k: v for k, v in means.items() if k != "loss"}
        return Step(self.step - 1, means["loss"], terms, lr, norm, self.step * config.batch_size)


def train(
    objective: Objective, stream: Stream, config: TrainConfig, *, training: Training | None = None
) -> Iterator[Step]:
    """Train to the last step of the configuration; one `Step` after each update.

    Args:
        objective: what is minimised.
        stream: of whole batches; each process takes its slice.
        config: how.
        training: what was done before, to go on with; it must be of this objective. None begins.

    Raises:
        BadInput: nothing in a batch was measured.
        Diverged: the loss is no finite number any more.
    """
    training = Training(objective, config) if training is None else training
    if stream.batch_size != config.batch_size:
        raise BadInput(
            f"the stream has batches of {stream.batch_size}, the configuration of {config.batch_size}; give one size"
        )
    draws = iter(stream.starting_at(training.step).shared_by(training.devices.rank, training.devices.ranks))
    while training.step < config.steps:
        begun = time.perf_counter()
        draw = next(draws)
        waited = time.perf_counter() - begun
        step = training.take(draw)
        seconds = time.perf_counter() - begun
        yield replace(step, samples_per_s=config.batch_size / seconds, waiting=waited / seconds)


class _Whole(nn.Module):
    """The objective with plain tensors as its result, for what hooks into modules.

    Args:
        objective: the module.
        touch: whether every parameter takes part in the result, times 0.
    """

    def __init__(self, objective: Objective, *, touch: bool) -> None:
        super().__init__()
        self.objective = module_of(objective)
        self.touch = touch

    def forward(self, draw: Draw) -> tuple[dict[str, tuple[Tensor, Tensor, float]], Tensor]:
        terms: Mapping[str, Term] = self.objective(draw)
        touch = torch.zeros((), device=next(self.objective.parameters()).device)
        if self.touch:
            touch = touch + sum(0.0 * p.float().sum() for _, p in trained(self.objective))
        return {name: (t.sum, t.count, t.weight) for name, t in terms.items()}, touch


def _loss(terms: Mapping[str, Term], counts: Mapping[str, Tensor]) -> Float[Tensor, ""]:
    """This process's part of the loss; a term that counted nothing anywhere is no part of it."""
    parts = []
    for name, t in terms.items():
        n = counts[name].to(t.sum.device)
        parts.append(torch.where(n > 0, t.weight * t.sum / n.clamp(min=torch.finfo(n.dtype).tiny).to(t.sum.dtype), 0.0))
    return torch.stack(parts).sum() if parts else torch.zeros(())


def _means(sums: Scalars, counts: Scalars) -> dict[str, float]:
    """Loss and mean of each term that counted something; the loss stands under "" in the sums."""
    names = [k for k in sums if k]
    values = torch.stack([sums[k].cpu() for k in ("", *names)]).tolist()
    numbers = torch.stack([counts[k].cpu() for k in names]).tolist() if names else []
    means = {k: v / n for k, v, n in zip(names, values[1:], numbers, strict=True) if n > 0}
    return {"loss": values[0], **means}


def _add(to: Scalars, numbers: Mapping[str, Tensor]) -> None:
    for name, value in numbers.items():
        to[name] = to[name] + value.detach() if name in to else value.detach()


@contextmanager
def _seeded(words: tuple[int, ...], devices: Devices) -> Iterator[None]:
    """Global generators seeded from these words while the block runs; as before afterwards."""
    seed = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1
    with torch.random.fork_rng([devices.device] if devices.device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
