"""Comparisons of features as Markdown tables, rows of a CSV, and bars."""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from armillary.probe.intervals import Interval, mean_interval
from outcomes import PROBES, Outcome, difference
from real_labels import Question


def score_table(found: Sequence[Outcome]) -> Iterator[str]:
    """Markdown rows: one per kind of features, one column per protocol and probe."""
    columns = list(dict.fromkeys((o.protocol, o.probe) for o in found))
    cells = {(o.features, o.protocol, o.probe): o for o in found}
    yield "| features | width | " + " | ".join(f"{protocol}, {probe}" for protocol, probe in columns) + " |"
    yield "|---|---|" + "---|" * len(columns)
    for name in dict.fromkeys(o.features for o in found):
        row = [cells[name, *column] for column in columns]
        yield f"| {name} | {row[0].width} | " + " | ".join(_spread(o.score) for o in row) + " |"


def difference_table(found: Sequence[Outcome], question: Question) -> Iterator[str]:
    """Markdown rows: the first kind less each other, under the linear probe."""
    linear = [o for o in found if o.probe == PROBES[0]]
    ours = {o.protocol: o for o in linear if o.features == linear[0].features}
    what = "share of right answers" if question.of_classes else "absolute error saved"
    yield (
        f"| {linear[0].features} less | "
        + " | ".join(f"{p}: over draws | {p}: over items ({what})" for p in ours)
        + " |"
    )
    yield "|---|" + "---|" * 2 * len(ours)
    for name in list(dict.fromkeys(o.features for o in linear))[1:]:
        cells = [difference(ours[o.protocol], o, question) for o in linear if o.features == name]
        yield f"| {name} | " + " | ".join(f"{_said(c.over_draws)} | {_said(c.over_items)}" for c in cells) + " |"


def _spread(score: Float[np.ndarray, " r"]) -> str:
    return f"{score.mean():.3f}" + (f" ± {score.std(ddof=1):.3f}" if len(score) > 1 else "")


def _said(interval: Interval | None) -> str:
    if interval is None:
        return "—"
    return f"**{interval}**" if interval.sure else str(interval)


def picture(found: Sequence[Outcome], question: Question, path: Path) -> None:
    """Bars of the linear probe with 95 % intervals over draws."""
    linear = [o for o in found if o.probe == PROBES[0]]
    protocols, names = (
        list(dict.fromkeys(values)) for values in zip(*((o.protocol, o.features) for o in linear), strict=True)
    )
    figure = Figure(figsize=(4.2 * len(protocols) + 2.2, 0.34 * len(names) + 1.2), layout="constrained")
    for axes, protocol in zip(np.atleast_1d(figure.subplots(1, len(protocols), sharey=True)), protocols, strict=True):
        cells = [o for o in linear if o.protocol == protocol]
        mean = [o.score.mean() for o in cells]
        half = [0.0 if len(o.score) < 2 else o.score.mean() - mean_interval(o.score).low for o in cells]
        colours = ["#b5542a" if o.features.startswith("encoder") else "#8a9a5b" for o in cells]
        axes.barh(names, np.clip(mean, 0, None), xerr=half, color=colours, error_kw={"elinewidth": 1})
        for i, value in enumerate(mean):
            axes.text(0.01, i, f"{value:.2f}", va="center", fontsize=7, color="white", weight="bold")
        axes.set(title=f"{question.name}: {protocol}", xlabel="accuracy" if question.of_classes else "R²", xlim=(0, 1))
        axes.invert_yaxis() if axes is figure.axes[0] else None
    aside = path.with_name(f".{path.name}")
    figure.savefig(aside, dpi=110, format="png")
    aside.replace(path)


def rows_of(found: Sequence[Outcome], question: Question) -> Iterator[dict[str, object]]:
    """What the CSV holds: one row per protocol, probe and kind of features."""
    ours = {(o.protocol, o.probe): o for o in found if o.features == found[0].features}
    for o in found:
        gap = difference(ours[o.protocol, o.probe], o, question)
        draws = gap.over_draws or Interval(float("nan"), float("nan"), float("nan"))
        yield {
            "question": o.question,
            "protocol": o.protocol,
            "probe": o.probe,
            "features": o.features,
            "width": o.width,
            "draws": len(o.score),
            "measure": "accuracy" if question.of_classes else "R2",
            "score": f"{o.score.mean():.4f}",
            "score_std": f"{o.score.std(ddof=1):.4f}" if len(o.score) > 1 else "",
            **{f"first_less_this_draws_{k}": f"{getattr(draws, k):.4f}" for k in ("mean", "low", "high")},
            **{f"first_less_this_items_{k}": f"{getattr(gap.over_items, k):.4f}" for k in ("mean", "low", "high")},
        }


def write(path: Path, text: str) -> None:
    """Completely or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """The same as a CSV."""
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write(path, table.getvalue())
