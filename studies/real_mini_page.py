"""Write docs/results/real-mini.md, its tables and its pictures from the cells of a run of the suite real-mini.

    python studies/real_mini_page.py RUN docs/results

RUN is the folder of `armillary bench run --suite real-mini`. Nothing is asked again. The line of a model that the
pictures show is that without a word about place and time, but for questions about coordinates, where it is told them.
"""

import csv
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from armillary.bench.arena.cell import Cell
from armillary.bench.real_mini import real_mini
from armillary.bench.report.cells import REGRESSIONS, Line, gather, read_all
from armillary.bench.report.examples import draw_examples, read_examples
from armillary.bench.report.paired import Difference, differences, verdict
from armillary.bench.report.tables import DASH, Table, scores, signed, spelled, summary, unit_of
from armillary.probe.intervals import Interval
from mini_pictures import differences_picture, fewer_colours, shares_picture
from mini_words import ANSWERED, BELOW, COMES_TO, EXPLAINED, GAINS, HEAD, NOT_RUN, SAW

MODEL = "copernicus-fm-nano"
RIVALS = {"constant": "constant", "pixels": "pixels", "place-time": "place-time", f"{MODEL}@random": "random weights"}
"""Role of a line -> what the page calls it."""

BY_PLACE = ("elevation", "forest-cover", "night-lights", "population", "air-temperature")
"""Questions about coordinates."""

SHOWN = ("eurosat-ms", "s2-weak", "sen1floods11", "fuel-s2", "elevation", "air-temperature")
"""Questions whose curves over shares of labels are drawn."""

FLOODS = "sen1floods11.india-spain"
"""Task whose answers are drawn."""

TASKS = real_mini()
Gains = Mapping[tuple[str, bool], Mapping[str, Difference]]
"""Question and whether the model was told -> role of a rival -> difference."""


def main(run: Path, folder: Path) -> None:
    """The page, two tables, three pictures."""
    cells, _ = read_all(run)
    lines = gather(cells)
    whole = [x for x in lines if x.asking.fraction == 1.0]
    gains = _gains(run, [x for x in whole if x.asking.probe not in ("knn",)])
    pictures = _pictures(run, folder, lines, gains)
    _write_rows(folder / "real-mini.csv", [_row(x) for x in lines])
    _write_rows(folder / "real-mini-paired.csv", [_pair(k, r, d) for k, some in gains.items() for r, d in some.items()])
    parts = [
        HEAD.format(**_facts(cells)),
        "## In short",
        "\n".join(_in_short(gains)),
        COMES_TO,
        f"![{MODEL} less what stands beside it]({pictures[0]})",
        "## Scores",
        _scores(whole).markdown(),
        EXPLAINED,
        _explained(whole).markdown(),
        f"## {MODEL} less what stands beside it",
        GAINS,
        _gain_table(gains).markdown(),
        "## Nearest neighbours",
        _neighbours(whole).markdown(),
        "## By share of the labels",
        f"![over shares of the labels]({pictures[1]})",
        *(t.markdown() for t in _shares(lines)),
        "## Floods",
        f"![Sen1Floods11, answered beside the truth]({pictures[2]})" if len(pictures) > 2 else "",
        ANSWERED,
        SAW,
        NOT_RUN,
        BELOW,
    ]
    (folder / "real-mini.md").write_text("\n\n".join(p for p in parts if p) + "\n", encoding="utf-8")


def _gains(run: Path, lines: Sequence[Line]) -> Gains:
    """Of the model's regression against the lines of the plain encoders and of its untrained twin.

    Where both twins were asked, it is compared with the one that was told as much.
    """
    out: dict[tuple[str, bool], dict[str, Difference]] = {}
    for name in _questions(lines):
        some = [x for x in lines if x.asking.question == name]
        for d in differences(run, some):
            if d.ours.asking.encoder != MODEL or (name in BY_PLACE and d.theirs.asking.encoder == "pixels"):
                continue  # an empty patch has no pixels
            held = out.setdefault((name, bool(d.ours.asking.knows)), {})
            role = d.theirs.asking.role.removesuffix(", told") if d.theirs.asking.is_untrained else d.theirs.asking.role
            if role not in held or bool(d.theirs.asking.knows) == bool(d.ours.asking.knows):
                held[role] = d
    return out


def _is_headline(question: str, *, told: bool) -> bool:
    return told == (question in BY_PLACE)


def _in_short(gains: Gains) -> Iterable[str]:
    """One sentence for each rival, by what the intervals say."""
    for role, called in RIVALS.items():
        said: dict[str, list[str]] = {"better": [], "worse": [], "undecided": [], DASH: []}
        for (question, told), some in gains.items():
            if _is_headline(question, told=told) and role in some:
                said[verdict(some[role].gain)].append(question)
        known = [f"**{w}** in {len(q)} ({', '.join(q)})" if q else f"{w} in none" for w, q in said.items() if w != DASH]
        yield f"- Against *{called}*: {'; '.join(known)}."


def _scores(lines: Sequence[Line]) -> Table:
    return summary([x for x in lines if x.asking.probe != "knn"], TASKS)


def _explained(lines: Sequence[Line]) -> Table:
    values = [x for x in lines if x.main == "RMSE" and x.asking.probe != "knn"]
    columns = tuple(dict.fromkeys(x.asking.role for x in values))
    held = {(x.asking.question, x.asking.role): x for x in values}
    rows = tuple(
        (q, *(spelled(held[q, c].measure("R2")) if (q, c) in held else DASH for c in columns))
        for q in _questions(values)
    )
    return Table(("question", *columns), rows)


def _gain_table(gains: Gains) -> Table:
    roles = [*RIVALS, MODEL]
    names = [*RIVALS.values(), "itself, untold"]
    rows = []
    for (question, told), some in gains.items():
        any_line = next(iter(some.values())).ours
        unit = unit_of(question, TASKS)
        measure = f"{any_line.main}{f', {unit}' if unit else ''}"
        known = [_gain(some[r].gain) if r in some else DASH for r in roles]
        rows.append((question, "yes" if told else "no", measure, *known))
    return Table(("question", "told", "measure", *names), tuple(rows))


def _gain(gain: Interval) -> str:
    word = f"{signed(gain.mean)} [{signed(gain.low)}, {signed(gain.high)}]"
    return f"**{word}**" if verdict(gain) in ("better", "worse") else word


def _neighbours(lines: Sequence[Line]) -> Table:
    held = {(x.asking.question, bool(x.asking.knows), x.asking.probe): x for x in lines if x.asking.encoder == MODEL}
    rows = []
    for (question, told, probe), mine in held.items():
        if probe == "knn":
            other = next((held[question, told, r] for r in REGRESSIONS if (question, told, r) in held), None)
            beside = DASH if other is None else spelled(other.mean)
            rows.append((question, "yes" if told else "no", mine.main, spelled(mine.mean), beside))
    return Table(("question", "told", "measure", "kNN", "regression"), tuple(rows))


def _shares(lines: Sequence[Line]) -> Iterable[Table]:
    for question in _questions(lines):
        some = [x for x in lines if x.asking.question == question]
        for table in scores(some, TASKS)[1:]:
            yield Table(table.head, table.rows, f"{question}: {table.title.split(',')[0]}")


def _pictures(run: Path, folder: Path, lines: Sequence[Line], gains: Gains) -> tuple[str, ...]:
    headline = {q: some for (q, told), some in gains.items() if _is_headline(q, told=told)}
    constant = {x.asking.question: x.mean for x in lines if x.asking.role == "constant" and x.asking.fraction == 1.0}
    (folder / "real-mini-differences.png").write_bytes(differences_picture(headline, constant, RIVALS))
    curves = {q: [x for x in lines if x.asking.question == q and _is_drawn(x)] for q in SHOWN}
    (folder / "real-mini-labels.png").write_bytes(shares_picture(curves, TASKS))
    floods = [x for x in lines if x.asking.encoder == MODEL and not x.asking.knows]
    cells = [c for x in floods for c in x.cells if c.question.task == FLOODS and c.examples]
    examples = read_examples(run, cells[0]) if cells else None
    names = ("real-mini-differences.png", "real-mini-labels.png")
    if examples is None:
        return names
    drawn = draw_examples(examples, TASKS[FLOODS].answer, "floods")
    (folder / "real-mini-floods.png").write_bytes(fewer_colours(drawn.content))
    return (*names, "real-mini-floods.png")


def _is_drawn(line: Line) -> bool:
    asked = line.asking
    told = asked.is_plain or bool(asked.knows) == (asked.question in BY_PLACE)
    return asked.probe != "knn" and asked.encoder != "none" and told


def _facts(cells: Sequence[Cell]) -> Mapping[str, str]:
    known = [c for c in cells if c.error is None]
    weights = next(c.facts["weights"] for c in known if c.question.encoder == MODEL)
    told = next(c.facts["environment"] for c in known)
    seconds = sum(float(c.facts.get("seconds", 0)) for c in known)
    return {
        "answered": str(len(known)),
        "failed": str(len(cells) - len(known)),
        "weights": str(weights)[:16],
        "revision": _commits(known),
        "machine": f"armillary {told['armillary']}, torch {told['torch']}, {told['machine']}, {told['threads']} thread",
        "minutes": f"{seconds / 60:.0f}",
    }


def _commits(cells: Iterable[Cell]) -> str:
    """Of the program, with how many cells each answered."""
    counts = Counter(str(c.facts.get("git"))[:8] for c in cells).most_common()
    return " and ".join(f"commit {name} ({n} cells)" for name, n in counts)


def _questions(lines: Iterable[Line]) -> list[str]:
    order = list(dict.fromkeys(n.partition(".")[0] for n in TASKS))
    return sorted({x.asking.question for x in lines}, key=order.index)


def _row(line: Line) -> Mapping[str, object]:
    asked = line.asking
    return {
        "question": asked.question,
        "encoder": asked.encoder,
        "told": " ".join(asked.knows),
        "probe": asked.probe,
        "share": asked.fraction,
        "measure": line.main,
        "score": _digits(line.mean),
        "low": _digits(line.low),
        "high": _digits(line.high),
        "spread over seeds": _digits(line.spread),
        "seeds": line.seeds,
        "folds": line.folds,
        **{name: _digits(line.measure(name)) for name in ("balanced accuracy", "macro F1", "R2", "bias", "ECE")},
    }


def _pair(key: tuple[str, bool], role: str, found: Difference) -> Mapping[str, object]:
    gain = found.gain
    return {
        "question": key[0],
        "told": key[1],
        "against": role,
        "measure": found.ours.main,
        "better by": _digits(gain.mean),
        "low": _digits(gain.low),
        "high": _digits(gain.high),
        "says": verdict(gain),
        "pairs": found.pairs,
    }


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
