"""Write docs/results/features.md, .csv and pictures: what the frozen features of an encoder hold, on real labels.

    python studies/features.py DATA WEIGHTS [--model copernicus-fm-nano] [--page docs/results/features.md]
        [--draws 20] [--seeds 5] [--only eurosat_ms,s2_l2a_weak] [--side-px 128]

WEIGHTS is a .safetensors file, or "random". Nothing is fine-tuned: a linear probe (logistic or ridge regression whose
penalty is chosen within the training items) and five nearest neighbours answer from frozen features. Beside the
encoder: random weights of five seeds, features without learning, and coordinates where they are known.
"""

import argparse
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.zoo import load_model
from armillary.probe.features import Shelf, View
from baselines import CACHE, coordinates, harmonics, untrained
from comparison import difference_table, picture, rows_of, score_table, write, write_rows
from outcomes import outcomes, tables_of
from real_labels import ABSENT, Question, questions

OURS, TOLD = "encoder", "encoder, told place and area"
RANDOM = "random weights"
WIDE_PX = 128
"""Pixels larger than this are halved until they fit, area moving along: the encoder's cost grows with their number."""

HEAD = """# What frozen features hold

`python studies/features.py DATA WEIGHTS` wrote this page. Model: {model}; weights: {weights}. Nothing is fine-tuned.
*linear*: logistic or ridge regression on standardised features, its penalty chosen by folds within the training items.
*kNN*: five nearest neighbours by cosine of standardised features. Scores are accuracy for classes and R² for values,
mean ± standard deviation over draws (up to {draws}). "random weights": the mean over {seeds} seeds (one where told).
"encoder" sees pixels alone; "told" gives it place and area as well, where they are known. No set here says when it was
taken.

Differences are paired, with 95 % intervals, in bold where 0 lies outside. *Over draws*: Student's t; what another
choice of training items would change. *Over items*: bootstrap of items (of whole groups where there are groups); what
another choice of places would change, and so the interval to trust for a claim. With six groups it is rough.

Decisions about training saw s2_l2a_weak and one fixed half of eurosat_ms (`armillary.probe.splits.halves`, seed 0).
Early choices (learning rate, contrast, which layers of the cloud network to learn from) had seen all of eurosat_ms
before that rule stood. Pretraining saw nothing of eurosat_ms; of the other sets it saw the pixels of places that are
not held out, and of s2_l2a_weak the weak labels of those as well (see there). Rich statistics: percentiles, spectral
indices, gradients. Random patches: 256 whitened patches of 3 px, drawn from the set without its labels, both signs,
averaged (MOSAIKS). Both live in `armillary.models.descriptors`.
"""

Features = Mapping[str, Sequence[Float[np.ndarray, "n d"]]]


def features_of(question: Question, model: CopernicusFM, strangers: Sequence[CopernicusFM], shelf: Shelf) -> Features:
    """Name -> features of every item, one array per seed."""
    known = (
        tables_of(
            {"coordinates": coordinates(question.lonlat), "harmonics of coordinates": harmonics(question.lonlat, shelf)}
        )
        if question.placed
        else {}
    )
    if question.kept is None:
        places = {OURS: [_places(model, question)], RANDOM: [_places(m, question) for m in strangers]}
        return {**{f"{name}: place vector": x for name, x in places.items()}, **known}
    kept, side = question.kept, _side(question.kept.pixels.shape[-1])
    blind, told = View(side_px=side, knows=()), View(side_px=side)
    table = untrained(kept)
    ours = kept.features(model, blind)
    return {
        OURS: [ours],
        TOLD: [kept.features(model, told)],
        "encoder and rich statistics": [np.concatenate([ours, table["rich statistics"]], axis=1)],
        RANDOM: [kept.features(m, blind) for m in strangers],
        f"{RANDOM}, told": [kept.features(m, told) for m in strangers[:1]],
        **tables_of(table),
        **known,
    }


def _places(model: CopernicusFM, question: Question) -> Float[np.ndarray, "n d"]:
    """What the encoder adds to every token for a place, time and area unknown."""
    unknown = torch.full((len(question.y),), torch.nan)
    with torch.inference_mode():
        return model.where(torch.tensor(question.lonlat), unknown, unknown).float().numpy()


def _side(px: int) -> int | None:
    side = px
    while side > WIDE_PX:
        side //= 2
    return None if side == px else side


def main() -> None:
    """One section, one picture and some rows per question."""
    warnings.simplefilter("ignore")
    given = _arguments()
    shelf = Shelf(given.cache)
    weights = None if given.weights == "random" else given.weights
    model = load_model(given.model, weights=weights)
    strangers = [load_model(given.model, weights=None, seed=100 + k) for k in range(given.seeds)]
    given.page.parent.mkdir(parents=True, exist_ok=True)
    sections, rows = [], []
    for question in questions(given.data, shelf, given.draws, given.only):
        found = outcomes(question, features_of(question, model, strangers, shelf), shelf)
        drawn = given.page.with_name(f"{given.page.stem}-{question.name}.png")
        picture(found, question, drawn)
        sections += [f"## {question.name}", "", f"{len(question.y)} items; {question.note}; {question.floor}.", ""]
        sections += [
            *score_table(found),
            "",
            *difference_table(found, question),
            "",
            f"![{question.name}]({drawn.name})",
            "",
        ]
        rows += list(rows_of(found, question))
        print(question.name, "done", flush=True)
    page = HEAD.format(model=given.model, weights=weights and Path(weights).name, draws=given.draws, seeds=given.seeds)
    absent = [f"- **{name}**: {why}." for name, why in ABSENT.items()]
    write(given.page, "\n".join([page, *sections, "## Not asked, and why", "", *absent, ""]))
    write_rows(given.page.with_suffix(".csv"), rows)


def _arguments() -> argparse.Namespace:
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("data", type=Path)
    said.add_argument("weights")
    said.add_argument("--model", default="copernicus-fm-nano")
    said.add_argument("--page", type=Path, default=Path("docs/results/features.md"))
    said.add_argument("--cache", type=Path, default=CACHE)
    said.add_argument("--draws", type=int, default=20)
    said.add_argument("--seeds", type=int, default=5)
    said.add_argument("--only", default="", help="names of questions, with commas; all when empty")
    return said.parse_args()


if __name__ == "__main__":
    main()
