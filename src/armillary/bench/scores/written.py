"""Sums at rest: as text for one total, as bytes of an npz for many items; without loss and without pickle."""

import io
import json
from collections.abc import Sequence

import numpy as np

from armillary.bench.scores.exact import read_exact, spelled
from armillary.bench.scores.sums import Sums

KINDS = {"scores": np.float64, "truths": np.bool_}
"""Types of the rows that ranking keeps."""


def to_json(sums: Sums) -> str:
    """One total as text.

    Example:
        >>> to_json(Sums({"known": np.array(3)}, {"error": 0}))
        '{"counts": {"known": 3}, "reals": {"error": "0p0"}, "rows": {}}'
    """
    return json.dumps(
        {
            "counts": {name: count.tolist() for name, count in sums.counts.items()},
            "reals": {name: spelled(real) for name, real in sums.reals.items()},
            "rows": {name: sums.row(name).tolist() for name in sums.rows},
        }
    )


def from_json(text: str) -> Sums:
    """One total from its text."""
    found = json.loads(text)
    counts = {name: np.array(count, dtype=np.int64) for name, count in found["counts"].items()}
    rows: dict[str, np.ndarray] = {name: np.array(some, dtype=KINDS[name]) for name, some in found["rows"].items()}
    return Sums(
        counts,
        {name: read_exact(real) for name, real in found["reals"].items()},
        {name: (some.reshape(-1, len(counts["labels"])),) for name, some in rows.items()},
    )


def to_npz(per_item: Sequence[Sums]) -> bytes:
    """Sums of many items of one answer, as the bytes of an npz file."""
    arrays = {"items": np.array(len(per_item))}
    first = per_item[0] if per_item else Sums()
    for name in first.counts:
        arrays[f"count {name}"] = np.stack([s.counts[name] for s in per_item])
    for name in first.reals:
        arrays[f"real {name}"] = np.array([spelled(s.reals[name]) for s in per_item])
    for name in first.rows:
        arrays[f"row {name}"] = np.concatenate([s.row(name) for s in per_item])
        arrays[f"length {name}"] = np.array([len(s.row(name)) for s in per_item])
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes the names for its own argument
    return file.getvalue()


def from_npz(data: bytes) -> tuple[Sums, ...]:
    """Sums of many items from the bytes of an npz file."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        named = {name: file[name] for name in file.files}
    items = int(named.pop("items"))
    rows = {
        name.removeprefix("row "): np.split(array, np.cumsum(named[f"length {name.removeprefix('row ')}"])[:-1])
        for name, array in named.items()
        if name.startswith("row ")
    }
    return tuple(
        Sums(
            {name.removeprefix("count "): np.asarray(a[i]) for name, a in named.items() if name.startswith("count ")},
            {name.removeprefix("real "): read_exact(a[i]) for name, a in named.items() if name.startswith("real ")},
            {name: (blocks[i],) for name, blocks in rows.items()},
        )
        for i in range(items)
    )
