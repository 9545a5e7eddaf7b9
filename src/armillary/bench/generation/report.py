"""Report: finished cells on generation as Markdown, CSV and one HTML page. Nothing is asked again."""

import csv
import logging
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path

from armillary.bench.generation import drawings, sheets
from armillary.bench.generation.cell import FOLDER, Cell, Question, read_cell, written
from armillary.bench.generation.parties import label, parties_of
from armillary.bench.generation.pictures import read_pictures
from armillary.bench.generation.plan import GenerationPlan, questions, read_plan
from armillary.bench.generation.published import CAVEATS, FIGURES
from armillary.bench.generation.references import FLOORS
from armillary.bench.report import page
from armillary.bench.report.page import Section
from armillary.bench.report.plots import Picture
from armillary.bench.report.tables import Table
from armillary.errors import BadInput, SceneNotFound, SceneUnreadable
from armillary.generate.joint import JOINT

_LOG = logging.getLogger(__name__)

TITLE = "Generation: any strand from any others"

HOW = (
    "What a model generates is synthetic, and no measurement. A score is the mean over held-out places, each counted "
    "once, of means over their items; unknown pixels count nowhere. What is expected is the network's own estimate in "
    "one asking, without sampling; samples are drawn of fewer items. The best floor is chosen on the very items that "
    "are asked, which favours the floor. Intervals are 95 % bootstraps of whole places; where there are fewer than "
    "three places, of items, and then they say nothing of other places. PSNR and SSIM take fixed spans, one per band. "
    "Floors: " + "; ".join(f"{name}: {what}" for name, what in FLOORS.items()) + "."
)

MOST_PANELS = 24
"""Cells whose pictures are shown."""


def report(folder: Path, *, title: str = TITLE) -> tuple[Path, ...]:
    """Write report.md, results.csv and report.html from the cells of a run; returns the files.

    Raises:
        SceneNotFound: no cell is there.
        OutputRefused: the folder cannot be written to.
    """
    plan = read_plan(folder)
    cells, complaints = read_all(folder, plan)
    parts = sections(folder, plan, cells, complaints)
    intro = (asked(plan, cells), HOW)
    contents = {
        "report.md": page.markdown(title, intro, parts),
        "results.csv": as_csv(sheets.records(cells)),
        "report.html": page.page(title, intro, parts),
    }
    return tuple(written(folder / name, text.encode()) for name, text in contents.items())


def read_all(folder: Path, plan: GenerationPlan) -> tuple[list[Cell], list[str]]:
    """Every cell that can be read, in the order in which they are asked, and what is wrong with the others.

    Raises:
        SceneNotFound: no cell is there.
    """
    cells, complaints = [], []
    for path in sorted((folder / FOLDER).glob("*.json")):
        try:
            cells.append(read_cell(path))
        except BadInput as error:
            complaints.append(str(error))
    if not cells:
        raise SceneNotFound(
            f"{folder / FOLDER} holds no cell; ask something first: armillary bench run --suite generation"
        )
    order = {q.id: i for i, q in enumerate(_order(plan, cells))}
    return sorted(cells, key=lambda c: (order.get(c.question.id, len(order)), c.question.id)), complaints


def asked(plan: GenerationPlan, cells: Sequence[Cell]) -> str:
    """One sentence on how much was asked."""
    taken = [c for c in cells if c.question.kind not in ("crowd", "dates")] or cells  # which look at all that is held
    items = {key: place for c in taken for key, place in c.items}
    models = ", ".join(dict.fromkeys(c.question.model for c in cells))
    group = f"; group {plan.held_out}" if plan.held_out else ""
    return (
        f"{models}: {len(items)} held-out items of {len(set(items.values()))} places (at most {plan.per_place} of a "
        f"place, evenly over it, at most {plan.most} in all{group}); {plan.samples} samples of {plan.sampled} items "
        f"per question, {plan.steps} steps; crowds of {plan.crowd}."
    )


def sections(
    folder: Path, plan: GenerationPlan, cells: Sequence[Cell], complaints: Sequence[str] = ()
) -> tuple[Section, ...]:
    """Per model all that was asked; then figures of others, what failed, and where the scores come from."""
    found: list[Section] = []
    models = list(dict.fromkeys(c.question.model for c in cells))
    for model in models:
        own = [c for c in cells if c.question.model == model]
        found += _of_model(folder, plan, own, f"{model}: " if len(models) > 1 else "")
    found.append(Section("published", "Published figures of others, with caveats", CAVEATS, (FIGURES,)))
    failed = [c for c in cells if c.error is not None]
    if failed or complaints:
        rows = tuple((c.question.kind, c.question.target, label(c.question.given), c.error or "") for c in failed)
        table = (Table(("kind", "target", "from", "why"), rows),) if rows else ()
        found.append(Section("failed", "Not answered", tuple(complaints), table))
    found.append(Section("provenance", "Where the scores come from", (), (sheets.provenance(cells),)))
    return tuple(found)


def as_csv(rows: Sequence[dict[str, str]]) -> str:
    """With a header; "" where there are no rows."""
    out = StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue()


def _of_model(folder: Path, plan: GenerationPlan, own: Sequence[Cell], who: str) -> list[Section]:
    told, drawn, loops, years = (
        [c for c in own if c.question.kind == k and c.error is None] for k in ("told", "sampled", "drift", "dates")
    )
    heat = drawings.heat_map(told, f"{who}error of what is expected over that of the best floor; below 1 is better")
    more = drawings.errors(told, f"{who}error over that of the mean; dots are given sets, lines their mean")
    ranks = drawings.ranks(drawn, f"{who}rank of the truth among the samples, over what is even; flat is calibrated")
    curves = drawings.drift_curves(loops, f"{who}what is left of a place after rounds there and back")
    season = tuple(drawings.seasons(c, f"{who}{c.question.target} of {c.items[0][1]}, by date") for c in years)
    helps, crowds, spread = sheets.added_table(told, plan.draws), sheets.crowds(own), sheets.spreads(own)
    tables = (*sheets.matrix(told), *_tables(sheets.other_dates(told)))
    drawn_tables = tuple(sheets.samples(drawn, plan.draws))
    made = [
        Section("any", "Any from any", tuple(drawings.headline(told)), _tables(sheets.overview(told)), _pictures(heat)),
        Section("strands", "Strand by strand", (), tables),
        Section("more", "More that is given", (), _tables(helps), _pictures(more)),
        Section("samples", "Samples and their calibration", (), drawn_tables, _pictures(ranks)),
        Section("crowds", "Generated items as a whole", (), _tables(crowds)),
        Section("drift", "There and back", (), tuple(sheets.drifts(own)), _pictures(curves)),
        Section("dates", "One place at other dates", (), _tables(spread), season),
        Section("pictures", "Pictures", (), (), _panels(folder, own)),
    ]
    return [replace(s, name=f"{who}{s.name}", title=f"{who}{s.title}") for s in made if s.tables or s.pictures]


def _tables(found: Table | None) -> tuple[Table, ...]:
    return () if found is None else (found,)


def _pictures(found: Picture | None) -> tuple[Picture, ...]:
    return () if found is None else (found,)


def _panels(folder: Path, cells: Sequence[Cell]) -> tuple[Picture, ...]:
    found = []
    for cell in [c for c in cells if c.pictures is not None][:MOST_PANELS]:
        try:
            rows = read_pictures(folder / str(cell.pictures))
        except SceneUnreadable as cause:
            _LOG.warning("%s", cause)
            continue
        if rows:
            q = cell.question
            found.append(drawings.panel(rows, f"{q.kind}: {q.target} from {label(q.given)}"))
    return tuple(found)


def _order(plan: GenerationPlan, cells: Sequence[Cell]) -> list[Question]:
    """Questions in the order of the plan, where the model is one of the table."""
    if plan.base not in JOINT:
        return []
    parties = parties_of(JOINT[plan.base].codes)
    models = dict.fromkeys((*plan.models, *(c.question.model for c in cells)))
    whole = GenerationPlan(plan.models, seed=plan.seed)
    return [q for model in models for q in questions(whole, model, parties)]
