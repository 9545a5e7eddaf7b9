"""Make the weights of a joint model that ship out of finished runs: what is learned in bfloat16, with their papers.

    python studies/ship_joint.py RUN_FOLDER [--earlier RUN_FOLDER ...] [--between] [--into FOLDER]

Takes the averages (EMA) of the run's last checkpoint. Earlier runs are those it began from, in order; the header tells
of them. With --between, what ships lies half-way between the run and the one it began from (weights are averaged as in
arXiv:2203.05482). Prints the size, the SHA-256, and how far bfloat16 moves what the model says of noise.
"""

import argparse
import hashlib
import json
from pathlib import Path

import torch

from armillary import __version__
from armillary.models.cop_gen import COP_GEN, CopGen
from armillary.models.weights import save
from armillary.models.zoo import load_model
from armillary.train.checkpoint import Checkpoint, load_last
from armillary.train.run import ABOUT, CHECKPOINTS

INTO = Path(__file__).parents[1] / "src" / "armillary" / "models" / "data"

LICENCE = "CC-BY-SA-4.0"
"""Some of what was learned from is CC-BY-SA-4.0 (docs/results/generation-pairs.md); the weights carry the same."""

ATTRIBUTION = (
    "contains modified Copernicus Sentinel data 2015-2023 and Copernicus DEM GLO-30; sources and licences in "
    "docs/results/generation-pairs.md. What it generates is synthetic and no measurement"
)

BUDGET_MIB = 12.0
"""Of all joint models that ship, together."""


def trained(kept: Checkpoint) -> CopGen:
    """The network of a checkpoint, with the averages where they are kept."""
    model = CopGen(COP_GEN[str(kept.config["model"])])
    values = {**kept.tensors["model"], **kept.tensors["ema"]}
    model.load_state_dict({n.removeprefix("model."): v for n, v in values.items() if n.startswith("model.")})
    return model.eval()


def half_way(one: CopGen, other: CopGen) -> CopGen:
    """The mean of the weights of two runs of one origin."""
    values, others = one.state_dict(), other.state_dict()
    one.load_state_dict({name: value.lerp(others[name], 0.5) for name, value in values.items()})
    return one


def papers(runs: list[Path], kept: Checkpoint) -> dict[str, str]:
    """What the header says."""
    abouts = [json.loads((run / ABOUT).read_text(encoding="utf-8")) for run in runs]
    steps = [found.step for run in runs[:-1] if (found := load_last(run / CHECKPOINTS)) is not None]
    held = ", ".join(dict.fromkeys(str(a["data"].get("held_out")) for a in abouts))
    return {
        "name": str(kept.config["model"]),
        "licence": LICENCE,
        "attribution": ATTRIBUTION,
        "source": f"armillary {__version__}, studies/ship_joint.py",
        "git": ", ".join(dict.fromkeys(str(a["git"] or "unknown") for a in abouts)),
        "data": ", ".join(dict.fromkeys(str(a["data"]["train"]) for a in abouts)),
        "held_out": held if kept.config["held_out_groups"] or kept.config["model"] != "cop-gen-thumb" else "nothing",
        "steps": " + ".join(map(str, [*steps, kept.step])),
    }


def answers(model: CopGen) -> torch.Tensor:
    """What is said of two items of noise at the middle of the path."""
    rng = torch.Generator().manual_seed(0)
    x = {s.name: torch.randn(2, s.channels, s.height, s.width, generator=rng) for s in model.config.strands}
    with torch.inference_mode():
        said = model(x, torch.full((2, len(x)), 500.0))
    return torch.cat([v.flatten(1) for v in said.values()], dim=1)


def ship(runs: list[Path], into: Path, *, between: bool) -> None:
    """Write the file."""
    kept = load_last(runs[-1] / CHECKPOINTS)
    if kept is None:
        raise SystemExit(f"{runs[-1]} holds no checkpoint")
    model, facts = trained(kept), papers(runs, kept)
    before = load_last(runs[-2] / CHECKPOINTS) if between else None
    if before is not None:
        model, facts = half_way(model, trained(before)), facts | {"between": f"the last two of {facts['steps']} steps"}
    into.mkdir(parents=True, exist_ok=True)
    exact = answers(model)
    path = into / f"{facts['name']}.safetensors"
    for p in model.parameters():
        p.data = p.data.to(torch.bfloat16)  # not the covariances of the field, whose small differences matter
    save(model, path, facts)
    path.chmod(0o644)  # safetensors keeps its files to their owner
    size = sum(f.stat().st_size for f in into.glob("cop-gen-*.safetensors")) / 2**20
    assert size <= BUDGET_MIB, f"all together are {size:.2f} MiB, more than {BUDGET_MIB}"
    after = answers(load_model(facts["name"], path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{path}: {path.stat().st_size:,} bytes (all together {size:.2f} MiB), sha256 {digest}")
    print(f"rounding moves an answer by {(after - exact).std() / exact.std():.4f} of its deviation")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--earlier", type=Path, nargs="*", default=[])
    parser.add_argument("--between", action="store_true")
    parser.add_argument("--into", type=Path, default=INTO)
    asked = parser.parse_args()
    ship([*asked.earlier, asked.run], asked.into, between=asked.between)
