"""Parties: the strands of one product, given or asked together, and the sets of them that a target is told from."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from armillary.bench.generation.spans import is_map, is_note
from armillary.errors import BadInput
from armillary.sample.strands import Code

Kind = Literal["sensor", "map", "note"]

OTHERS = "all others"
"""Every picture that an item has beside the target."""

NOTES = "notes"
"""Every note that an item has: place and date, or the style of a reference for the target."""

Given = tuple[str, ...]
"""Names of parties, or OTHERS, NOTES or both; () is nothing."""

_SIZE = re.compile(r"-(\d+m|mean)$")
_STYLE = "-style"


@dataclass(frozen=True)
class Party:
    """Strands that go together.

    Args:
        name: of the product.
        strands: names.
        kind: what a sensor measured, a map of what is there, or a note, which is never asked for.
    """

    name: str
    strands: tuple[str, ...]
    kind: Kind


def parties_of(codes: Sequence[Code]) -> tuple[Party, ...]:
    """The parties of a model's strands, in their order; the grids of one product are one, relief and height too.

    Example:
        >>> from armillary.sample.known_strands import nano
        >>> [p.name for p in parties_of(nano())]
        ['s1-rtc', 's2-l1c', 's2-l2a', 'dem', 'land-cover', 'water', 'place', 'date']
    """
    found: dict[str, list[Code]] = {}
    for code in codes:
        found.setdefault(_SIZE.sub("", code.name), []).append(code)
    return tuple(Party(name, tuple(c.name for c in own), _kind(own[0])) for name, own in found.items())


def targets_of(parties: Sequence[Party]) -> tuple[str, ...]:
    """What can be asked for."""
    return tuple(p.name for p in parties if p.kind != "note")


def given_sets(parties: Sequence[Party], target: str) -> Iterator[Given]:
    """Nothing, notes, each other picture with and without notes, pairs of them, and all with and without notes."""
    others = [name for name in targets_of(parties) if name != target]
    yield ()
    yield (NOTES,)
    for name in others:
        yield (name,)
        yield (name, NOTES)
    yield from combinations(others, 2)
    yield (OTHERS,)
    yield (OTHERS, NOTES)


def sampled_sets(parties: Sequence[Party], target: str) -> Iterator[Given]:
    """Those from which samples are drawn: each other sensor, and all others."""
    yield from ((p.name,) for p in parties if p.kind == "sensor" and p.name != target)
    yield (OTHERS,)


def loops(parties: Sequence[Party]) -> Iterator[tuple[str, str]]:
    """A target and what it is led through and back: the last optical product, through each other sensor of its date."""
    sensors = [p.name for p in parties if p.kind == "sensor"]
    optical = [name for name in sensors if name.startswith("s2")]
    if optical:
        target = optical[-1]
        yield from ((target, name) for name in sensors if name != target and _date(name) == _date(target))


def label(given: Given) -> str:
    """As a table says it.

    Example:
        >>> label(()), label(("s1-rtc", "notes"))
        ('nothing', 's1-rtc + notes')
    """
    return " + ".join(given) or "nothing"


def resolve(parties: Sequence[Party], target: str, given: Given, have: Collection[str]) -> tuple[str, ...] | None:
    """The strands that an item gives for a set; None where it lacks a party of it or the target.

    Args:
        parties: of the model.
        target: name of the party that is asked for.
        given: the set.
        have: strands of the item.

    Raises:
        BadInput: no such party.
    """
    by_name = {p.name: p for p in parties}
    odd = [g for g in (target, *given) if g not in by_name and g not in (OTHERS, NOTES)]
    if odd:
        raise BadInput(f"{', '.join(odd)} was asked for; there are {', '.join(by_name)}")
    if not set(by_name[target].strands) & set(have):
        return None
    meant = [p for g in given for p in _meant(parties, target, g, have)]
    if any(not set(p.strands) & set(have) for p in meant) or _empty(parties, target, given, have):
        return None
    return tuple(s for p in parties if p in meant for s in p.strands if s in have)


def _meant(parties: Sequence[Party], target: str, word: str, have: Collection[str]) -> list[Party]:
    if word == OTHERS:
        return [p for p in parties if p.kind != "note" and p.name != target and set(p.strands) & set(have)]
    if word == NOTES:
        return [p for p in parties if p.kind == "note" and _tells(p, target) and set(p.strands) & set(have)]
    return [p for p in parties if p.name == word]


def _empty(parties: Sequence[Party], target: str, given: Given, have: Collection[str]) -> bool:
    return any(not _meant(parties, target, g, have) for g in given)


def _date(name: str) -> str:
    """Before or after, where a name says so."""
    last = name.rsplit("-", 1)[-1]
    return last if last in ("before", "after") else ""


def _tells(note: Party, target: str) -> bool:
    """A style tells its own picture alone."""
    return not note.name.endswith(_STYLE) or note.name == f"{target}{_STYLE}"


def _kind(code: Code) -> Kind:
    return "note" if is_note(code) else "map" if is_map(code) else "sensor"
