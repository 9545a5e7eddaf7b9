"""`arm.generate`: scenes in, synthetic scenes of other sensors of the same place out."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import partial

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool
from torch import Tensor

from armillary.earth.card import card_text
from armillary.earth.fleet import sensors
from armillary.earth.when import iso
from armillary.errors import BadInput, OutOfRange
from armillary.generate.condition import Roles
from armillary.generate.denoiser import Shapes
from armillary.generate.joint import JOINT, joint_of
from armillary.generate.noise import seed_of
from armillary.generate.sampler import final, sample
from armillary.generate.solver import Solver
from armillary.models.cop_gen import CopGen
from armillary.models.precision import cast
from armillary.models.weights import weights_sha256
from armillary.models.zoo import load_model
from armillary.product.embed import placed
from armillary.product.generated.answers import Answers
from armillary.product.generated.given import take
from armillary.product.generated.grid import Given
from armillary.product.generated.menu import Output, menu_of
from armillary.product.generated.plan import How, Plan, names_of, plan_of, refuse_parts
from armillary.product.generated.run import run
from armillary.product.generated.store import Memory

DEFAULT_GENERATOR = "cop-gen-nano"
"""What generates where no model is named."""

Source = Given | Mapping[str, Given] | Mapping[str, Tensor] | None


def generate(
    x: Source,
    *,
    to: Sequence[str],
    model: str | CopGen = DEFAULT_GENERATOR,
    samples: int = 1,
    seed: int = 0,
    spread: bool = False,
    precision: str | None = None,
    **how: object,
) -> dict[str, xr.DataArray] | dict[str, Tensor]:
    """Generate what other sensors might have seen of a place. What comes out is synthetic, and says so.

    The products lie on the grid of the first Sentinel-1 or -2 scene that is given, else of the first scene; others are
    brought onto it (bilinear; averages where they are much finer; nearest for categories). Strands with larger pixels
    than the grid, such as the 20 m bands of Sentinel-2 or the relief, are interpolated bilinearly. Scenes larger than
    the model's view are generated through overlapping windows that agree at every step; a smaller one is mirrored at
    its edges to a whole view and cut back. Where no given pixel was measured, the products are NaN; where only some of
    the given sensors or bands were, they are made from those alone.

    Args:
        x: a DataArray (band, y, x) from `arm.open` or a Sample; or name -> one of these, of one place; or None, for
            places that do not exist; or strand -> Tensor float[b c h w] of network numbers (NaN = unknown).
        to: names of sensors ("s1-rtc", "s2-l1c", "s2-l2a", "dem", "land-cover", "water"; of cop-gen-thumb "s1-before",
            "s1-after", "s2-before", "s2-after", "flood"), or of a single strand, such as "s2-l2a-20m".
        model: a name that `arm.load_model` knows, or a model.
        samples: different from each other, all as likely; more than one makes a leading dimension "sample". Sample i
            is the same, to rounding, however many are asked for.
        seed: decides all that is random.
        spread: give mean and standard deviation over the samples as a leading dimension "statistic" ("mean",
            "spread") instead of the samples; of categories the most frequent, and the share of samples that differ.
        precision: "float32", "bfloat16" or "auto"; None: that of the model, which is float32 for a name.
        how: `steps`, `guidance`, `place`, `date`, `style`, `view_px`, `overlap_px` and `batch`, see
            `armillary.product.generated.plan.How`.

    Returns:
        Name -> DataArray (band, y, x) in the sensor's unit with CRS, transform and time of x. Attributes say
        `synthetic` (True), `generated_by`, `given`, `seed` and `weights` (their SHA-256). For tensors: strand -> Tensor
        of network numbers, (b c h w), or (sample b c h w) for several samples.

    Raises:
        BadInput: something is both given and wanted, unknown, or of another place.
        EmptyScene: not one given pixel was measured.
        WeightsMissing: no weights of the model are at hand.
    """
    network, name = _network(model, precision)
    if isinstance(x, Mapping) and x and all(isinstance(v, Tensor) for v in x.values()):
        alone = {"spread": spread, **{k: v for k, v in how.items() if k not in ("steps", "guidance", "batch")}}
        if odd := [k for k, v in alone.items() if v is not False]:
            raise BadInput(f"{', '.join(odd)} is for scenes, and tensors were given; leave it out")
        return _tensors(x, to, network, samples, seed, _how(how))  # type: ignore[arg-type]
    plan = plan_of(x, to, menu_of(network, name), samples, seed, _how(how))  # type: ignore[arg-type]
    store = Memory()
    for _ in take(plan, store):
        pass
    for _ in run(plan, network, store):
        pass
    answers = Answers.of(plan, store)
    facts = facts_of(plan, name or type(network).__name__, weights_sha256(network))
    return {o.name: _array(answers, o, facts, spread=spread) for o in plan.outputs}


def facts_of(plan: Plan, name: str, sha256: str) -> dict[str, object]:
    """What a product says of how it came to be."""
    return {
        "synthetic": True,
        "generated_by": name,
        "given": ", ".join(plan.given) or "nothing",
        "seed": plan.seed,
        "samples": plan.samples,
        "steps": plan.how.steps,
        "guidance": plan.how.guidance,
        "weights": sha256,
        "time": None if plan.time is None else iso(plan.time),
    }


def _how(options: Mapping[str, object]) -> How:
    known = How.__dataclass_fields__
    odd = [k for k in options if k not in known]
    if odd:
        raise BadInput(f"arm.generate does not know {', '.join(odd)}; it takes {', '.join(known)}")
    return How(**options)  # type: ignore[arg-type]


def _network(model: str | CopGen, precision: str | None) -> tuple[CopGen, str | None]:
    if isinstance(model, str):
        joint_of(model)  # refuses those that generate nothing
        found = load_model(model)
        if not isinstance(found, CopGen):  # cannot be: every joint model is one
            raise BadInput(f"{model} does not generate")
        return cast(found, precision or "float32"), model
    if not isinstance(model, CopGen):
        raise BadInput(f"model={model!r} was given; give one of {', '.join(JOINT)}, or what arm.load_model gives")
    return (model if precision is None else cast(model, precision)), None


def _array(answers: Answers, output: Output, facts: Mapping[str, object], *, spread: bool) -> xr.DataArray:
    plan, sensor = answers.plan, output.sensor
    n, h, w = (2 if spread else plan.samples), *plan.layout.grid.shape
    values = np.empty((n, len(sensor.bands), h, w), np.float32)
    for rows in answers.blocks():
        if spread:
            values[:, :, rows] = np.stack(answers.mean_and_spread(output, rows))
        else:
            values[:, :, rows] = np.stack([answers.values(output, i, rows) for i in range(n)])
    attrs = {"sensor": sensor.name, "unit": sensor.unit, **facts}
    if sensor.name not in sensors:
        attrs["sensor_card"] = card_text(sensor)
    lead = "statistic" if spread else "sample"
    labels = ["mean", "spread"] if spread else list(range(n))
    array = xr.DataArray(
        values, dims=(lead, "band", "y", "x"), coords={lead: labels, "band": list(sensor.band_names)}, attrs=attrs
    )
    array.name = output.name
    array = placed(array, plan.layout.grid)
    return array if n > 1 else array[0].drop_vars(lead)


@torch.no_grad()
def _tensors(
    x: Mapping[str, Tensor], to: Sequence[str], network: CopGen, samples: int, seed: int, how: How
) -> dict[str, Tensor]:
    """Network numbers in, network numbers out, strand by strand; item i of sample k does not depend on the others."""
    joint, menu = menu_of(network)
    refuse_parts(samples=samples)
    refuse_parts(least=None, seed=seed)
    items = {len(v) if v.ndim == 4 else 0 for v in x.values()}
    if len(items) != 1 or items == {0}:
        shown = ", ".join(f"{s} {tuple(v.shape)}" for s, v in x.items())
        raise BadInput(f"{shown} was given; give (b c h w) of each strand, with as many items in each")
    empty = [f"{s} {tuple(v.shape)}" for s, v in x.items() if not v.numel()]
    if empty:
        raise BadInput(f"{', '.join(empty)} holds no number at all; give at least one token of each strand")
    infinite = [s for s, v in x.items() if bool(torch.isinf(v).any())]
    if infinite:
        raise BadInput(f"{', '.join(infinite)} holds infinite numbers; give NaN where a number is not known")
    shapes = _scaled(joint.shapes, x)
    for s in (s for s in x if s in joint.shapes and joint.shapes[s][1] > 1):
        token = menu.token_px * joint.shapes[s][1] // menu.tile_px
        if x[s].shape[-2] % token or x[s].shape[-1] % token:
            raise BadInput(
                f"{s} {x[s].shape[-2]} x {x[s].shape[-1]} pixels were given, which are no whole tokens; give "
                f"multiples of {token}"
            )
    shapes |= {s: (v.shape[1], v.shape[2], v.shape[3]) for s, v in x.items()}
    wanted = dict.fromkeys(s for o in menu.asked(names_of(to)) for s in o.strands)
    roles = Roles.asking(joint.shapes, wanted, x, "left out", guidance=how.guidance)
    n, device = items.pop(), next(network.parameters()).device
    present = _present(x, joint.shapes, n).to(device)
    denoise = partial(network, present=None if bool(present.all()) else present)
    given = network.completed(x, {s: torch.isfinite(v) for s, v in x.items()})
    made = []
    for k in range(samples):
        seeds = [seed_of(seed_of(seed, "item", i), "sample", k) if k else seed_of(seed, "item", i) for i in range(n)]
        last = final(sample(denoise, joint.path, roles, given, shapes, seeds, Solver(steps=how.steps), device))
        odd = [s for s in roles.named("generate") if not bool(torch.isfinite(last.x[s]).all())]
        if odd:
            raise OutOfRange(
                f"what the network says of {', '.join(odd)} is no number: a value that was given, guidance="
                f"{how.guidance:g} or its weights are far from anything that was learned; give network numbers"
            )
        made.append({s: last.x[s] for s in roles.named("generate")})
    return made[0] if samples == 1 else {s: torch.stack([m[s] for m in made]) for s in made[0]}


def _scaled(own: Shapes, x: Mapping[str, Tensor]) -> dict[str, tuple[int, int, int]]:
    """Shapes of all strands over the ground that is given, which may be wider than a tile of the model.

    Raises:
        BadInput: strands of different ground, or less than one pixel of something.
    """
    pictures = {s: v.shape[-2:] for s, v in x.items() if s in own and own[s][1] > 1}
    tiles = {(Fraction(h, own[s][1]), Fraction(w, own[s][2])) for s, (h, w) in pictures.items()} or {
        (Fraction(1), Fraction(1))
    }
    down, across = tiles.pop()
    sides = {s: (n[1] * down, n[2] * across) if n[1] > 1 else n[1:] for s, n in own.items()}
    if tiles or any(Fraction(k).denominator > 1 for pair in sides.values() for k in pair):
        shown = ", ".join(f"{s} {h} x {w}" for s, (h, w) in pictures.items())
        raise BadInput(
            f"{shown} pixels were given; of one piece of ground the model sees {_sides(own)}, or as many times that"
        )
    return {s: (own[s][0], int(h), int(w)) for s, (h, w) in sides.items()}


def _sides(own: Shapes) -> str:
    return ", ".join(f"{s} {h} x {w}" for s, (_, h, w) in own.items() if h > 1)


def _present(x: Mapping[str, Tensor], strands: Iterable[str], items: int) -> Bool[Tensor, "b m"]:
    """Which items have a strand: one that is given without a single known number is absent, as it is in training."""
    none = torch.ones(items, dtype=torch.bool)
    return torch.stack([torch.isfinite(x[s]).flatten(1).any(dim=1).cpu() if s in x else none for s in strands], dim=1)
