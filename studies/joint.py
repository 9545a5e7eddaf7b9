"""Write docs/results/joint.md and joint.csv: does it pay to let Sentinel-1 and Sentinel-2 attend to each other?

    python studies/joint.py DATA WEIGHTS [--model copernicus-fm-nano] [--page docs/results/joint.md] [--only ombria]

*Joint*: all tokens of both sensors in one sequence (`model.together`). *Late fusion*: each sensor on its own, and the
mean of the two vectors, or both vectors beside each other (twice as wide). Frozen features, linear probe and nearest
neighbours; groups of places are never cut. WEIGHTS is a .safetensors file, or "random".
"""

import argparse
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from armillary.bench.kept import Kept
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.zoo import load_model
from armillary.probe.features import Shelf
from armillary.sample.batch import Views
from baselines import CACHE, untrained
from comparison import difference_table, rows_of, score_table, write, write_rows
from outcomes import outcomes, tables_of
from real_pairs import Pairs, ombria_pairs, presto, ranked, worldcereal_points

Fusion = Callable[[Views], Float[Tensor, "b d"]]

HEAD = """# Joint against late fusion

`python studies/joint.py DATA WEIGHTS` wrote this page. Model: {model}; weights: {weights}. *joint*: the tokens of both
sensors attend to each other and one vector is pooled from all. *late, mean*: each sensor alone, then the mean of the
two vectors: the control, of the same width. *late, side by side*: the same, twice as wide. Frozen features; the probe
is linear (logistic or ridge regression) or five nearest neighbours; scores are accuracy for classes and R² for values.
Intervals are 95 %, paired; bold where 0 lies outside. "Over items" resamples whole groups of places. Differences are
joint less the other.

bigearthnet_s1s2_pairs (six places, 2 to 4 labels each) is too small to ask. Single pixels are shown to the encoder as
flat patches: no texture, so what they say is about spectra and backscatter alone. The encoder's vectors are averaged
over dates, which leaves the season out; "no learning" is the values of all dates unless it says mean over dates. No
encoder is told a place: with a linear probe, places would name the groups.
"""


def fusions(model: CopernicusFM) -> Mapping[str, Fusion]:
    """Name -> how two sensors become one vector; the first is what the others are compared with."""

    def late(views: Views) -> list[Tensor]:
        return [model(batch).pooled.float() for batch in views.values()]

    return {
        "joint": lambda views: model.together(views).pooled.float(),
        "late, mean": lambda views: torch.stack(late(views)).mean(dim=0),
        "late, side by side": lambda views: torch.cat(late(views), dim=1),
        "Sentinel-1 alone": lambda views: model(next(iter(views.values()))).pooled.float(),
        "Sentinel-2 alone": lambda views: model(list(views.values())[1]).pooled.float(),
    }


def fused(model: CopernicusFM, pairs: Pairs, fuse: Fusion) -> Float[np.ndarray, "n d"]:
    """One vector per item: the mean over its dates."""
    with torch.inference_mode():
        rows = np.concatenate([fuse(views).numpy() for views in pairs.views(model.card)])
    return rows.reshape(len(pairs.question.y), pairs.steps, -1).mean(axis=1)


def features_of(pairs: Pairs, model: CopernicusFM, stranger: CopernicusFM, shelf: Shelf) -> Mapping[str, np.ndarray]:
    """Name -> features of every item."""
    code = (Path(__file__), Path(__file__).with_name("real_pairs.py"))
    table = {
        name + suffix: shelf.get(lambda f=fuse, m=who: fused(m, pairs, f), "joint", name, pairs.key, who, *code)
        for who, suffix in ((model, ""), (stranger, ", random weights"))
        for name, fuse in fusions(who).items()
    }
    plain: dict[str, Float[np.ndarray, "n d"]] = {f"{sensor}: no learning": x for sensor, x in pairs.plain.items()}
    plain["both: no learning"] = np.concatenate(list(pairs.plain.values()), axis=1)
    if pairs.steps > 1:
        dated = [x.reshape(len(x), pairs.steps, -1).mean(axis=1) for x in pairs.plain.values()]
        plain["both, mean over dates: no learning"] = np.concatenate(dated, axis=1)
    return {**table, **plain}


def sets(data: Path, shelf: Shelf, only: Sequence[str]) -> Iterator[Pairs]:
    """The sets whose names are wanted; all when none is."""
    known: Mapping[str, Callable[[], Pairs]] = {
        "ombria": lambda: ombria_pairs(data, shelf, _rich),
        "ombria_ranked": lambda: ranked(ombria_pairs(data, shelf, _rich)),
        "worldcereal": lambda: worldcereal_points(data),
        "fuel_moisture": lambda: presto(data, "fuel_moisture"),
        "algae_blooms": lambda: presto(data, "algae_blooms"),
    }
    for name, build in known.items():
        if not only or name in only:
            yield build()


def _rich(kept: Kept) -> Float[np.ndarray, "n d"]:
    return untrained(kept)["rich statistics"]


def main() -> None:
    """One section per set."""
    warnings.simplefilter("ignore")
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("data", type=Path)
    said.add_argument("weights")
    said.add_argument("--model", default="copernicus-fm-nano")
    said.add_argument("--page", type=Path, default=Path("docs/results/joint.md"))
    said.add_argument("--cache", type=Path, default=CACHE)
    said.add_argument("--only", default="")
    given = said.parse_args()
    shelf = Shelf(given.cache)
    weights = None if given.weights == "random" else given.weights
    model = load_model(given.model, weights=weights)
    stranger = load_model(given.model, weights=None, seed=100)
    sections, rows = [HEAD.format(model=given.model, weights=Path(weights).name if weights else "random")], []
    for pairs in sets(given.data, shelf, [n for n in given.only.split(",") if n]):
        found = outcomes(pairs.question, tables_of(features_of(pairs, model, stranger, shelf)), shelf)
        sections += [
            f"## {pairs.question.name}",
            "",
            f"{len(pairs.question.y)} items; {pairs.question.note}; {pairs.question.floor}.",
            "",
        ]
        sections += [*score_table(found), "", *difference_table(found, pairs.question), ""]
        rows += list(rows_of(found, pairs.question))
        print(pairs.question.name, "done", flush=True)
    write(given.page, "\n".join(sections))
    write_rows(given.page.with_suffix(".csv"), rows)


if __name__ == "__main__":
    main()
