"""Lists: the text files by which an archive says what belongs to which part."""

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from armillary.bench.files import Files
from armillary.errors import SceneUnreadable

_NOT = {"0", "0.0", "false", ""}
_YES = {"1", "1.0", "true"}


@dataclass(frozen=True, eq=False)
class Marked:
    """A line of names and marks.

    Args:
        names: what its first columns hold.
        marks: one per class.
    """

    names: tuple[str, ...]
    marks: Bool[np.ndarray, " k"]


def lines(files: Files, name: str) -> tuple[str, ...]:
    """Lines of a list without blanks; a mark at the beginning of the file and ends of either kind are no content."""
    return tuple(line.strip() for line in _text(files, name).splitlines() if line.strip())


def pairs(files: Files, name: str) -> Mapping[str, str]:
    """First column -> second, of a table without a header; a line of column names is left out."""
    rows = (row for row in csv.reader(lines(files, name)) if len(row) > 1)
    return {row[0].strip(): row[1].strip() for row in rows if "." in row[1]}


def marked(files: Files, name: str, count: int, orders: Sequence[Sequence[str]]) -> tuple[Marked, ...]:
    """Lines of a table whose first `count` columns are names and whose others are marks (0 or 1).

    Columns whose heads are one of `orders` come in that order, whatever theirs is; any others stay as they are.

    Raises:
        SceneUnreadable: a line has another number of marks, or one that is neither 0 nor 1.
    """
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines(files, name))]
    headed = bool(rows) and any(cell.lower() not in _NOT | _YES for cell in rows[0][count:])
    heads = rows.pop(0) if headed else []
    if heads and heads[0] in {"", "Unnamed: 0"}:  # an index that was written with the table
        heads, rows = heads[1:], [row[1:] for row in rows]
    width = len(orders[0])
    at = _positions(heads[count:], orders)
    for number, row in enumerate(rows, start=1 + headed):
        if len(row) != count + width or any(cell.lower() not in _NOT | _YES for cell in row[count:]):
            raise SceneUnreadable(
                f"line {number} of {name} in {files.where} does not hold {count} names and {width} marks of 0 or 1; "
                "download the archive again"
            )
    return tuple(
        Marked(tuple(row[:count]), np.array([row[count + i].lower() in _YES for i in at], dtype=bool)) for row in rows
    )


def records(files: Files, name: str) -> Mapping[str, Mapping[str, object]]:
    """A JSON file of records by key.

    Raises:
        SceneUnreadable: it is none.
    """
    try:
        found = json.loads(_text(files, name))
    except json.JSONDecodeError as cause:
        raise SceneUnreadable(f"{name} in {files.where} is no JSON ({cause}); download the archive again") from cause
    if not isinstance(found, dict) or not all(isinstance(record, dict) for record in found.values()):
        raise SceneUnreadable(f"{name} in {files.where} holds no records by key; download the archive again")
    return found


def _text(files: Files, name: str) -> str:
    try:
        return files.read(name).decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise SceneUnreadable(f"{name} in {files.where} is no text ({cause}); download the archive again") from cause


def _positions(heads: Sequence[str], orders: Sequence[Sequence[str]]) -> list[int]:
    plain = [_plain(head) for head in heads]
    for order in orders:
        wanted = [_plain(name) for name in order]
        if sorted(wanted) == sorted(plain):
            return [plain.index(name) for name in wanted]
    return list(range(len(orders[0])))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
