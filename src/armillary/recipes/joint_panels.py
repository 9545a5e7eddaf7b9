"""Panels of joint diffusion: each strand of a place generated from the others, beside the true one."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.generate.condition import Roles
from armillary.generate.joint import Joint
from armillary.generate.sampler import final, sample
from armillary.sample.strands import Strands
from armillary.train.objective import Panel

_STRETCH = (2.0, 98.0)
"""Percentiles of the truth that become black and white."""


@torch.no_grad()
def joint_panels(network: nn.Module, joint: Joint, strands: Strands, seeds: Sequence[int]) -> tuple[Panel, ...]:
    """One row per strand that is a picture: the first item that has it and another strand."""
    rows = []
    pictures = [name for name, shape in joint.shapes.items() if shape[1] > 1]
    for name in pictures:
        column = list(joint.shapes).index(name)
        able = strands.present[:, column] & (strands.present.sum(dim=1) > 1)
        if able.any():
            i = int(able.nonzero()[0])
            rows.append(_row(network, joint, strands, i, name, seeds[i]))
    return tuple(rows)


def _row(network: nn.Module, joint: Joint, strands: Strands, i: int, name: str, seed: int) -> Panel:
    here = [s for s, there in zip(joint.shapes, strands.present[i].tolist(), strict=True) if there]
    given = {s: strands.x[s][i : i + 1] for s in here if s != name}
    roles = Roles.asking(joint.shapes, (name,), given, "left out")
    device = next(network.parameters()).device
    made = final(sample(network, joint.path, roles, given, joint.shapes, [seed], device=device)).x[name]
    source = max(given, key=lambda s: (given[s].shape[-1], s))
    true = _shown(strands.x[name][i])
    pictures = {
        f"given: {source}": _stretched(_shown(given[source][0]), _shown(given[source][0])),
        "generated": _stretched(_shown(made[0]), true),
        "true": _stretched(true, true),
    }
    return Panel(f"{name} from {len(given)}", pictures)


def _shown(x: Float[Tensor, "c h w"]) -> Float[np.ndarray, "h w _"]:
    """Three channels as colours, the last first as sensors count from blue; others as their first in grey."""
    kept = x[[2, 1, 0]] if len(x) in (3, 4, 6) else x[:1]
    picture: np.ndarray = kept.movedim(0, -1).float().cpu().numpy()
    return picture


def _stretched(
    x: Float[np.ndarray, "h w c"], like: Float[np.ndarray, "h w c"]
) -> Float[np.ndarray, "h w"] | Float[np.ndarray, "h w 3"]:
    low, high = np.percentile(like, _STRETCH, axis=(0, 1))
    shown: np.ndarray = np.clip((x - low) / np.maximum(high - low, 1e-6), 0, 1).astype(np.float32)
    return shown if shown.shape[-1] == 3 else shown[..., 0]
