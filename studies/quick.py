"""Accuracy of a checkpoint's frozen features in about a minute on one core, beside baselines that are kept.

    python studies/quick.py DATA WEIGHTS [--model copernicus-fm-nano] [--cache FOLDER] [--views] [--final]

DATA holds eurosat_ms and s2_l2a_weak; WEIGHTS is a .safetensors file, or "random". Decisions about training may look
at s2_l2a_weak and at one fixed half of eurosat_ms (`armillary.probe.splits.halves`, seed 0): only these are printed.
--final adds the other half, answered by probes that learn from all of eurosat_ms: for the end only.
The tiles of s2_l2a_weak that pretraining saw teach, and those that were held out are asked.
"""

import argparse
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from armillary.bench.kept import Kept
from armillary.models.zoo import load_model
from armillary.probe import knn, linear, splits, trials
from armillary.probe.features import BLIND, Shelf, View
from armillary.probe.knn import standardised, vote
from baselines import CACHE, untrained
from real_labels import eurosat, weak, weak_draws

NEIGHBOURS = 5
HEAD = ("linear", "kNN", "few-shot")
ROW = Sequence[float]


def quick_scores(kept: Kept, x: Float[np.ndarray, "n d"], *, final: bool) -> ROW:
    """Linear probe, neighbours and few shots; the same again for the final half. eurosat_ms in cross-validation."""
    y, groups = kept.labelled.y, kept.labelled.groups
    if groups is not None:
        draws = weak_draws(kept, 5)
        return _means(_asked(x, y, draws["all labels"], draws["10-shot"], groups))
    if not final:
        items = splits.halves(y)[0]
        draws, few = list(splits.repeated(y[items], 5, 10, 0)), _shots(y[items], 5)
        return _means(_asked(x[items], y[items], draws, few))
    asked = _asked(x, y, list(splits.repeated(y, 5, 10, 0)), _shots(y, 10))
    untouched = splits.halves(y)[1]
    return (*_means(asked), *(float(np.nanmean(t.right[:, untouched])) for t in asked))


def _shots(y: np.ndarray, per_class: int) -> list[tuple[splits.Split, ...]]:
    return [(splits.shots(y, per_class, np.random.default_rng((1, k))),) for k in range(20)]


def _asked(
    x: np.ndarray, y: np.ndarray, draws: trials.Draws, few: trials.Draws, groups: np.ndarray | None = None
) -> tuple[trials.Trials, ...]:
    return (
        trials.run(lambda s: linear.classify(x, y, s, groups=groups), y, draws),
        trials.run(lambda s: vote(*standardised(x[s.test], x[s.train]), y[s.train], NEIGHBOURS), y, draws),
        trials.run(lambda s: linear.classify(x, y, s, groups=groups), y, few),
    )


def _means(asked: Sequence[trials.Trials]) -> ROW:
    return tuple(float(t.accuracy.mean()) for t in asked)


def _views(kept: Kept, every: bool) -> Mapping[str, View]:
    views = {"encoder, pixels alone": BLIND}
    if (kept.epsg != 0).any():
        views |= {"encoder, told place": View()}
    if every:
        views |= {"cls": View("cls"), "grid mean": View("grid")}
        views |= {f"resized to {n} px": View(side_px=n) for n in (96, 128)}
    return views


def main() -> None:
    """Print one table per set."""
    warnings.simplefilter("ignore")
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("data", type=Path)
    said.add_argument("weights")
    said.add_argument("--model", default="copernicus-fm-nano")
    said.add_argument("--cache", type=Path, default=CACHE)
    said.add_argument("--views", action="store_true", help="other outputs and sizes of the encoder as well")
    said.add_argument("--final", action="store_true", help="the half of eurosat_ms that no decision may see")
    given = said.parse_args()
    shelf, start = Shelf(given.cache), time.monotonic()
    model = load_model(given.model, weights=None if given.weights == "random" else given.weights)
    for kept in (eurosat(given.data, shelf), weak(given.data, shelf)):
        columns = HEAD + tuple(f"{h} *" for h in HEAD) * (given.final and kept.labelled.groups is None)
        print(f"\n{kept.labelled.name:<24}" + "".join(f"{h:>13}" for h in columns))
        rows = {name: (kept.features(model, view), False) for name, view in _views(kept, given.views).items()}
        rows |= {name: (x, True) for name, x in untrained(kept).items()}
        for name, (x, keep) in rows.items():
            row = _kept_row(kept, x, final=given.final) if keep else quick_scores(kept, x, final=given.final)
            print(f"{name:<24}" + "".join(f"{v:>13.3f}" for v in row), flush=True)
    print(f"\n{time.monotonic() - start:.0f} s; few-shot: 10 per class (5 in the half); * the untouched half")


def _kept_row(kept: Kept, x: Float[np.ndarray, "n d"], *, final: bool) -> np.ndarray:
    code = [Path(str(m.__file__)) for m in (linear, splits, trials, knn)] + [Path(__file__)]
    return kept.shelf.get(lambda: np.array(quick_scores(kept, x, final=final)), "quick", x, kept.key, final, *code)


if __name__ == "__main__":
    main()
