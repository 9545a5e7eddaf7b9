"""Teller: a joint model as it is asked here: what it expects, and what it draws, in the strands' own units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput, WeightsMismatch
from armillary.generate.condition import Roles
from armillary.generate.denoiser import Denoise
from armillary.generate.joint import Joint, joint_of
from armillary.generate.noise import seed_of
from armillary.generate.sampler import final, sample
from armillary.generate.solver import Solver
from armillary.models.cop_gen import COP_GEN, CopGen
from armillary.models.precision import cast, precision_of
from armillary.models.weights import weights_sha256
from armillary.models.zoo import load_model
from armillary.sample.strands import decode, encode, stack
from armillary.train import checkpoint
from armillary.train.run import CHECKPOINTS

Item = Mapping[str, Float[np.ndarray, "_ _ _"]]

RANDOM = "random"
"""Stands behind "@" for weights that nobody trained."""

ONCE = Solver("euler", 1)
"""One asking at T, where nothing is known of the wanted strands: what is said there is the conditional mean."""

BATCH = 8
"""Items, or samples of one item, that are asked at once."""


@dataclass(frozen=True, eq=False)
class Teller:
    """A model with what its strands mean.

    Args:
        name: as tables call it.
        joint: codes and path.
        denoise: the network; any `Denoise` will do.
        digest: of its weights and precision.
        steps: of the sampler.
        device: where it computes.
    """

    name: str
    joint: Joint
    denoise: Denoise
    digest: str
    steps: int = 20
    device: str = "cpu"

    def expected(self, items: Sequence[Item], want: Sequence[str], given: Sequence[str]) -> list[Item]:
        """The conditional mean in network numbers, decoded, of each item; one asking and no sampling.

        All are shown the same noise, so that answers to different given sets differ by what is given alone.
        """
        seeds = [seed_of(0, "expected")] * len(items)
        found: list[Item] = []
        for first in range(0, len(items), BATCH):
            part = slice(first, first + BATCH)
            found += self._told(items[part], want, given, seeds[part], ONCE)
        return found

    def drawn(self, item: Item, want: Sequence[str], given: Sequence[str], seeds: Sequence[int]) -> list[Item]:
        """One sample of an item per seed; what is given is made ready once."""
        return self.drawn_each([item] * len(seeds), want, given, seeds)

    def drawn_each(
        self, items: Sequence[Item], want: Sequence[str], given: Sequence[str], seeds: Sequence[int]
    ) -> list[Item]:
        """One sample of each item."""
        found: list[Item] = []
        for first in range(0, len(items), BATCH):
            part = slice(first, first + BATCH)
            found += self._told(items[part], want, given, seeds[part], Solver(steps=self.steps))
        return found

    @torch.inference_mode()
    def _told(
        self, items: Sequence[Item], want: Sequence[str], given: Sequence[str], seeds: Sequence[int], solver: Solver
    ) -> list[Item]:
        """Raises BadInput where the network's answer is no number: it would be counted nowhere."""
        codes = self.joint.codes
        ready = {id(item): encode({s: item[s] for s in given}, codes) for item in items}
        seen = stack([ready[id(item)] for item in items], codes)
        roles = Roles.asking(self.joint.shapes, want, given, "left out")
        held = {s: seen.x[s] for s in given}
        if isinstance(self.denoise, CopGen):
            held = self.denoise.completed(held, {s: seen.known[s] for s in given})
        states = sample(self.denoise, self.joint.path, roles, held, self.joint.shapes, list(seeds), solver, self.device)
        made: Mapping[str, Tensor] = final(states).x
        broken = [s for s in want if not torch.isfinite(made[s]).all()]
        if broken:
            raise BadInput(f"{self.name} told no numbers of {', '.join(broken)}; its weights are broken, give others")
        return [decode({s: made[s][i].float().cpu().numpy() for s in want}, codes) for i in range(len(items))]


def open_teller(name: str, *, steps: int = 20, device: str = "cpu", precision: str = "float32") -> Teller:
    """The model that a name of the command line means.

    Args:
        name: NAME (what ships), NAME@random, NAME@FILE (.safetensors), or NAME@FOLDER of a training run, whose last
            checkpoint is read, averages where there are some.
        steps: of the sampler.
        device: where it computes.
        precision: as `armillary.models.precision` says.

    Raises:
        BadInput: no such model, or no checkpoint in the folder.
        WeightsMissing: no such weights.
        WeightsMismatch: the weights are of another model.
    """
    model, _, weights = name.partition("@")
    joint = joint_of(model)
    network = _of_run(model, Path(weights)) if weights and Path(weights).is_dir() else _of_file(model, weights)
    placed = cast(network.to(device), precision).eval()
    return Teller(name, joint, placed, f"{weights_sha256(network)}-{precision_of(placed)}", steps, device)


def held_out_by(name: str) -> tuple[str, ...] | None:
    """Groups that a run held out, where a name is of a folder of one; None where nothing is known."""
    folder = Path(name.partition("@")[2])
    kept = checkpoint.load_last(folder / CHECKPOINTS) if folder.is_dir() else None
    groups = None if kept is None else kept.config.get("held_out_groups")
    return tuple(map(str, groups)) if isinstance(groups, list | tuple) else None


def base_of(name: str) -> str:
    """The model's name without its weights."""
    return name.partition("@")[0]


def _of_file(model: str, weights: str) -> CopGen:
    found = load_model(model, None if weights == RANDOM else weights or "default")
    if not isinstance(found, CopGen):
        raise BadInput(f"{model} generates nothing; models that do are {', '.join(COP_GEN)}")
    return found


def _of_run(model: str, folder: Path) -> CopGen:
    kept = checkpoint.load_last(folder / CHECKPOINTS)
    if kept is None:
        raise BadInput(f"{folder} holds no checkpoint; give the folder of a run of `armillary train`, or a weight file")
    own = "model."
    values = {**kept.tensors["model"], **kept.tensors["ema"]}
    state = {k.removeprefix(own): v for k, v in values.items() if k.startswith(own)}
    return _adopted(model, state, str(folder))


def _adopted(model: str, state: Mapping[str, Tensor], source: str) -> CopGen:
    """A network with the values of a checkpoint, whose names are the network's own."""
    network = CopGen(COP_GEN[model])
    wanted = network.state_dict()
    other = [k for k in wanted if k not in state or state[k].shape != wanted[k].shape]
    if other or len(state) != len(wanted):
        raise WeightsMismatch(
            f"the run {source} trained another network than {model} is in this version: {len(other)} of {len(wanted)} "
            f"parameters are missing or of another shape, such as {', '.join(other[:3]) or 'none'}; name its own model"
        )
    network.load_state_dict({k: v.float() for k, v in state.items()})
    return network.eval()
