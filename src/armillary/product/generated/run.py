"""Run: the sampling loop over a plan, strip by strip, into a store."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import OutOfRange
from armillary.generate.noise import seeds_of
from armillary.generate.strips import sample_strips
from armillary.generate.windows import Windowed
from armillary.models.cop_gen import CopGen
from armillary.product.generated.given import Shown
from armillary.product.generated.plan import Plan
from armillary.product.generated.store import Store


@dataclass(frozen=True)
class Progress:
    """Rows of windows that are finished, over all samples.

    Args:
        done: so many.
        total: of so many.
        group: number of the group of samples.
        whole: whether this was the last strip of its group.
        state: gives what is needed to go on behind this strip, until the next one is asked for.
    """

    done: int
    total: int
    group: int
    whole: bool
    state: Callable[[], dict[str, Tensor]]


def groups_of(plan: Plan) -> tuple[slice, ...]:
    """Samples that are generated side by side: as many as fill a batch together with a row of windows."""
    across = len(plan.layout.windows.cols.starts)
    size = max(1, plan.how.batch // across)
    return tuple(slice(i, min(i + size, plan.samples)) for i in range(0, plan.samples, size))


def run(
    plan: Plan, network: CopGen, store: Store, first: int = 0, since: Mapping[str, Tensor] | None = None
) -> Iterator[Progress]:
    """Generate all samples, from a group on.

    Args:
        plan: what is asked.
        network: the joint model, on the device where it is to be computed.
        store: holds what is given (see `given.take`) and takes what is made.
        first: number of the group to begin with.
        since: state of a strip of that group, to go on behind it.

    Raises:
        OutOfRange: what the network says is no number.
    """
    layout, groups = plan.layout, groups_of(plan)
    made = made_of(plan, store)
    given = {s: store.array(f"given-{s}", layout.shapes[s]) for s in plan.roles.named("given")}
    shown = Shown(network, layout.codes, tuple(given))
    rows, device = len(layout.windows.rows.starts), next(network.parameters()).device
    seeds = seeds_of(plan.seed, plan.samples)
    for number, group in enumerate(groups[first:], first):
        size = group.stop - group.start
        windowed = Windowed(shown, layout.windows, layout.shapes, max(1, plan.how.batch // size))
        readers: dict[str, Callable[[slice], Float[Tensor, "b c h w"]]] = {
            s: partial(_rows, values, size) for s, values in given.items()
        }
        path, state = plan.joint.path, since if number == first else None
        strips = sample_strips(windowed, path, plan.roles, readers, seeds[group], plan.solver, device, state)
        before = 0 if state is None else int(state["next"][-1])
        for i, strip in enumerate(strips, before + 1):
            for s, part in strip.x.items():
                if not bool(torch.isfinite(part).all()):
                    raise OutOfRange(
                        f"what the network says of {s} is no number: a value that was given, guidance="
                        f"{plan.how.guidance:g} or its weights are far from anything that was learned; check units, "
                        "nodata and the weight file"
                    )
                made[s][group, :, strip.rows[s]] = part.float().cpu().numpy()
            yield Progress(number * rows + i, len(groups) * rows, number, i == rows, strip.state)


def made_of(plan: Plan, store: Store) -> dict[str, np.ndarray]:
    """Strand -> numbers of all samples."""
    return {s: store.array(f"made-{s}", (plan.samples, *plan.layout.shapes[s])) for s in plan.roles.named("generate")}


def _rows(values: Float[np.ndarray, "c h w"], items: int, rows: slice) -> Float[Tensor, "b c y w"]:
    """Rows of a given strand, the same for all samples."""
    return torch.from_numpy(np.array(values[:, rows]))[None].expand(items, -1, -1, -1)
