"""Make the weights that ship out of a finished run: the encoder and its decoder in bfloat16, with their papers.

    python studies/ship.py RUN_FOLDER [EARLIER_RUN_FOLDER ...] [--into FOLDER]

Takes the averages (EMA) of the run's last checkpoint. Earlier runs are those it began from, in order; only the header
tells of them. Prints sizes, SHA-256, and how far bfloat16 moves the embeddings of the packaged held-out tiles.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary import __version__
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.mae import DecoderConfig, MaskedAutoencoder, load_autoencoder, save_decoder
from armillary.models.sizes import SIZES
from armillary.models.weights import save
from armillary.sample.augment import Augment
from armillary.sample.tiles import packaged
from armillary.train.checkpoint import Checkpoint, load_last
from armillary.train.run import ABOUT, CHECKPOINTS

INTO = Path(__file__).parents[1] / "src" / "armillary" / "models" / "data"

LICENCE = "CC-BY-SA-4.0"
"""Some of what was learned from is CC-BY-SA-4.0 (docs/results/corpus.md); the weights carry the same."""

ATTRIBUTION = (
    "contains modified Copernicus Sentinel data 2015-2023 and Copernicus DEM GLO-30; sources and licences in "
    "docs/results/corpus.md"
)

MOST_MIB = {"encoder": 12.0, "decoder": 2.0}


def trained(kept: Checkpoint) -> MaskedAutoencoder:
    """The encoder and decoder of a checkpoint, with the averages where they are kept."""
    config = dict(kept.config)
    decoder, size = config["decoder"], str(config["model"])
    assert isinstance(decoder, dict), decoder
    seed = int(str(config.get("seed", 0)))
    mae = MaskedAutoencoder(random_model(SIZES[size], seed=seed), DecoderConfig(**decoder), seed=seed)
    values = {**kept.tensors["model"], **kept.tensors["ema"]}
    mine = {n.removeprefix("mae."): v for n, v in values.items() if n.startswith("mae.")}
    missing, unexpected = mae.load_state_dict(mine, strict=False)
    fixed = {n for n, p in mae.named_parameters() if not p.requires_grad} | {n for n, _ in mae.named_buffers()}
    assert not unexpected, unexpected
    assert set(missing) <= fixed, missing  # what does not learn is no part of a checkpoint
    return mae.eval()


def papers(runs: list[Path], kept: Checkpoint) -> dict[str, str]:
    """What the header says."""
    abouts = [json.loads((run / ABOUT).read_text(encoding="utf-8")) for run in runs]
    steps = [int(found.step) for run in runs[:-1] if (found := load_last(run / CHECKPOINTS)) is not None]
    return {
        "name": str(kept.config["model"]),
        "licence": LICENCE,
        "attribution": ATTRIBUTION,
        "source": f"armillary {__version__}, studies/ship.py",
        "git": ", ".join(dict.fromkeys(str(a["git"]) for a in abouts)),
        "data": ", ".join(dict.fromkeys(str(a["data"]["train"]) for a in abouts)),
        "held_out": ", ".join(dict.fromkeys(str(a["data"].get("held_out")) for a in abouts)),
        "steps": " + ".join(map(str, [*steps, kept.step])),
    }


def embeddings(model: CopernicusFM) -> Float[Tensor, "n d"]:
    """Of every sample of the packaged held-out tiles."""
    tiles, cut = packaged("held-out"), Augment(scale=(1.0, 1.0), size_px=64, flip=False)
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        return torch.cat(
            [
                model(model.card.collate([sample])).pooled
                for place in range(len(tiles))
                for sample in cut(tiles.draw(place, rng), rng).values()
            ]
        )


def report(path: Path, what: str) -> None:
    """One line per file, which must not be too large."""
    size = path.stat().st_size
    assert size <= MOST_MIB[what] * 2**20, f"{path} is {size / 2**20:.2f} MiB, more than {MOST_MIB[what]}"
    print(f"{path}: {size:,} bytes ({size / 2**20:.2f} MiB), sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def ship(runs: list[Path], into: Path) -> None:
    """Write both files."""
    kept = load_last(runs[-1] / CHECKPOINTS)
    if kept is None:
        raise SystemExit(f"{runs[-1]} holds no checkpoint")
    mae, facts = trained(kept), papers(runs, kept)
    before = embeddings(mae.encoder)
    halved: nn.Module = mae.to(torch.bfloat16)
    assert halved is mae
    encoder, decoder = into / f"{facts['name']}.safetensors", into / f"{facts['name']}-decoder.safetensors"
    save(mae.encoder, encoder, facts)
    save_decoder(mae, decoder, facts)
    for path, what in ((encoder, "encoder"), (decoder, "decoder")):
        path.chmod(0o644)  # safetensors keeps its files to their owner
        report(path, what)
    again = load_autoencoder(facts["name"], encoder, decoder)
    likeness = torch.cosine_similarity(before, embeddings(again.encoder))
    print(f"cosine of embeddings before and after rounding: least {likeness.min():.6f}, of {len(likeness)} samples")
    print(json.dumps(facts, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("earlier", type=Path, nargs="*")
    parser.add_argument("--into", type=Path, default=INTO)
    asked = parser.parse_args()
    ship([*asked.earlier, asked.run], asked.into)
