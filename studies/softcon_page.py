"""Write docs/results/softcon.md, its table and its picture, from a run of real-mini over what softcon.py trained.

    python studies/softcon_page.py OUT docs/results

OUT is the folder of `armillary bench run --suite real-mini` with every RUNS/NAME-START-SEED/weights.safetensors of
studies/softcon.py as a model, the model that ships and the one of random weights. Nothing is asked again.

A score is the mean over training seeds, and within one over folds and seeds of the probe. Two causes of chance stand
beside each other: other training seeds (Student's t over them), and other tiles (the paired draws of the benchmark,
the mean over training seeds). The interval of a gain holds both, added in quadrature.
"""

import csv
import math
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from armillary.bench.report.cells import Line, gather, read_all
from armillary.bench.report.paired import difference
from armillary.bench.report.tables import DASH, Table
from armillary.probe.intervals import mean_interval

MODEL = "copernicus-fm-nano"
RUN = re.compile(rf"{MODEL}@.*/(?P<recipe>[a-z-]+)-(?P<start>shipped|scratch)-(?P<seed>\d+)/")
FIELDS = ("question", "probe", "labels", "start", "recipe", "seeds", "score", "low", "high", "gain", "worse", "better")

Question = tuple[str, str, float]
"""Task, probe and share of the labels; baselines that bring a probe of their own stand beside every probe."""

Kind = tuple[str, str]
"""Start and recipe."""

BEFORE: Mapping[str, Kind] = {"shipped": ("shipped", "nothing more"), "scratch": ("scratch", "nothing")}
"""Start -> what a run began with."""

PLAIN: Mapping[str, Kind] = {
    "none": ("baseline", "the most frequent class"),
    "place-time": ("baseline", "place and time, boosting"),
    "pixels": ("baseline", "statistics of pixels, boosting"),
}
"""Encoder that is no model -> kind."""

RECIPES = ("softcon", "supcon", "info-nce", "mae")

COLOURS = {"shipped": "#b5542a", "scratch": "#6b7d3a", "baseline": "#777777"}

HEAD = """# Land cover as a teacher, and its controls

`python studies/softcon.py`, `armillary bench run --suite real-mini` and `python studies/softcon_page.py` made this
page. All recipes draw the same 1,055 Sentinel-2 tiles and spend the same compute, 12 x 10^12 operations each; *shipped*
goes on from `copernicus-fm-nano`, *scratch* begins from random values. What ships was taught before by hidden patches,
by the same land-cover classes and by other encoders ([card](../model-cards/copernicus-fm-nano.md)). A score is the
share of right answers of frozen features on held-out places, {seeds} training seeds; the table beside this page is
softcon.csv. The five runs of mae from *shipped* were made on a processor with AMX, all others on one without, where
four of those seeds had given 0.634, 0.689, 0.870 and 0.880 in the order of the columns.

eurosat-ms was labelled by people, is of level 1C and of other places, and no run learned from it: it is the test.
s2-weak asks tiles that were held out, but by the same six public models whose agreement taught the labels here: there
it shows how well the teacher was copied.

In brackets the gain over what the run began with, and its 95 % interval over training seeds and over tiles, added in
quadrature; **bold** where 0 lies outside. Baselines: the interval of the score over tiles."""


def kind_of(line: Line) -> tuple[Kind, int] | None:
    """What was asked, and the seed of its training."""
    name = line.asking.encoder
    if name == MODEL:
        return BEFORE["shipped"], 0
    if name == f"{MODEL}@random":
        return BEFORE["scratch"], 0
    found = RUN.match(name)
    return None if found is None else ((found["start"], found["recipe"]), int(found["seed"]))


def asked(lines: Sequence[Line]) -> Mapping[Question, Mapping[Kind, Mapping[int, Line]]]:
    """Question -> kind -> line per training seed."""
    found: dict[Question, dict[Kind, dict[int, Line]]] = {}
    for line in (one for one in lines if not one.asking.is_plain and not one.asking.knows):
        known = kind_of(line)
        if known is not None:
            key = line.asking.question, line.asking.probe, line.asking.fraction
            found.setdefault(key, {}).setdefault(known[0], {})[known[1]] = line
    for line in (one for one in lines if one.asking.is_plain):
        for (question, _, fraction), kinds in found.items():
            if (line.asking.question, line.asking.fraction) == (question, fraction):
                kinds[PLAIN[line.asking.encoder]] = {0: line}
    return found


def rows_of(run: Path, found: Mapping[Question, Mapping[Kind, Mapping[int, Line]]]) -> Iterator[dict[str, object]]:
    """One row per question and kind, in the order of the page."""
    order = [*PLAIN.values(), *((start, r) for start, before in BEFORE.items() for r in (before[1], *RECIPES))]
    for (question, probe, fraction), kinds in sorted(found.items(), key=lambda item: item[0][:2]):
        for kind in (k for k in order if k in kinds):
            lines = [kinds[kind][seed] for seed in sorted(kinds[kind])]
            scores = np.array([line.mean for line in lines])
            low, high = lines[0].low, lines[0].high
            if len(scores) > 1:
                interval = mean_interval(scores)
                low, high = interval.low, interval.high
            row = {"question": question, "probe": probe, "labels": fraction, "start": kind[0], "recipe": kind[1]}
            row |= {"seeds": len(scores), "score": scores.mean(), "low": low, "high": high}
            before = kinds.get(BEFORE[kind[0]], {}).get(0) if kind[0] in BEFORE else None
            yield row | (gain_of(run, lines, before) if before is not None and kind[1] in RECIPES else {})


def gain_of(run: Path, lines: Sequence[Line], before: Line) -> dict[str, float]:
    """Mean gain over training seeds, and its interval over them and over tiles; nan with one seed."""
    gains = [d.gain for d in (difference(run, line, before) for line in lines) if d is not None]
    means = np.array([g.mean for g in gains])
    mean = float(means.mean())
    seeds = mean_interval(means).high - mean if len(means) > 1 else math.nan
    below, above = (float(np.mean([end - g.mean for g, end in zip(gains, side, strict=True)])) for side in
                    ([g.low for g in gains], [g.high for g in gains]))  # fmt: skip
    return {"gain": mean, "worse": mean - math.hypot(below, seeds), "better": mean + math.hypot(above, seeds)}


def table_of(rows: Sequence[Mapping[str, object]], start: str) -> Table:
    """One row per recipe, one column per question."""
    own = [r for r in rows if r["start"] == start]
    columns = list(dict.fromkeys((r["question"], r["probe"], r["labels"]) for r in own))
    cells = {(r["recipe"], r["question"], r["probe"], r["labels"]): _said(r) for r in own}
    recipes = list(dict.fromkeys(str(r["recipe"]) for r in own))
    named = (f"{q}, {p}" + ("" if f == 1 else f", {f:.0%} of the labels") for q, p, f in columns)
    body = tuple((name, *(cells.get((name, *c), DASH) for c in columns)) for name in recipes)
    title = {"shipped": "From copernicus-fm-nano", "scratch": "From random values", "baseline": "Without a model"}
    return Table(("recipe", *named), body, title[start])


def _said(row: Mapping[str, object]) -> str:
    score = f"{row['score']:.3f}"
    if "gain" not in row:
        return f"{score} [{row['low']:.3f}, {row['high']:.3f}]"
    told = f"{score} ({row['gain']:+.3f} [{row['worse']:+.3f}, {row['better']:+.3f}])"
    return f"**{told}**" if float(str(row["worse"])) * float(str(row["better"])) > 0 else told


def draw(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Scores with their intervals over training seeds, or over tiles where there is one; a panel per question."""
    keys = list(dict.fromkeys((r["question"], r["probe"]) for r in rows if r["labels"] == 1))
    kinds = list(dict.fromkeys((str(r["start"]), str(r["recipe"])) for r in rows))
    figure = Figure(figsize=(3.4 * len(keys) + 1.5, 3.8), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(keys), sharey=True))
    for axis, key in zip(panels, keys, strict=True):
        own = [r for r in rows if (r["question"], r["probe"]) == key and r["labels"] == 1]
        for row in own:
            i = kinds.index((str(row["start"]), str(row["recipe"])))
            value, low, high = (float(str(row[k])) for k in ("score", "low", "high"))
            axis.errorbar(value, i, xerr=[[value - low], [high - value]], fmt="o", color=COLOURS[str(row["start"])],
                          capsize=3, mfc="white" if row["seeds"] == 1 else None)  # fmt: skip
        axis.set_yticks(range(len(kinds)), [f"{start}: {recipe}" for start, recipe in kinds], fontsize=7)
        axis.set(title=f"{key[0]}, {key[1]}", xlabel="share of right answers")
        axis.grid(axis="x", alpha=0.3)
    panels[0].invert_yaxis()
    figure.savefig(path, dpi=110)


def main(run: Path, folder: Path) -> None:
    """The page, the table and the picture."""
    rows = list(rows_of(run, asked(gather(read_all(run)[0]))))
    with (folder / "softcon.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    draw(rows, folder / "softcon.png")
    parts = [
        HEAD.format(seeds=max(int(str(r["seeds"])) for r in rows)),
        *(table_of(rows, start).markdown() for start in (*BEFORE, "baseline")),
        "![scores of every recipe with intervals, one panel per question](softcon.png)",
        "*Filled: mean and Student's t interval over training seeds. Open: one model, interval over tiles.*",
    ]
    (folder / "softcon.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
