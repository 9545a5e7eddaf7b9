"""Pictures: told strands beside true ones, as small arrays of grey or colour that a report lays out."""

import zlib
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import UInt8

from armillary.bench.generation.cell import written
from armillary.bench.generation.floors import Values
from armillary.errors import SceneUnreadable
from armillary.sample.strands import Bands, Categories, Code

FOLDER = "pictures"

SYNTHETIC = "synthetic, "
"""Before the caption of whatever a model made."""

STRETCH = (2.0, 98.0)
"""Percentiles of the truth that become black and white; every picture of a row is stretched alike."""

CLASSES = np.array(
    [(65, 105, 225), (34, 110, 54), (120, 170, 90), (228, 190, 90), (200, 60, 60), (180, 160, 130), (235, 245, 255),
     (200, 200, 200), (160, 190, 100)], np.uint8)  # fmt: skip
"""Colours of a map of classes, in the order of its codes."""

UNKNOWN = 255
"""Grey level where nothing was measured."""

Shown = UInt8[np.ndarray, "h w 3"]
Rows = Mapping[str, Mapping[str, Shown]]
"""Title of a row -> caption -> picture."""


def row(code: Code, pictures: Mapping[str, Values], like: Values) -> dict[str, Shown]:
    """Pictures of one strand, stretched as one of them is.

    Args:
        code: of the strand.
        pictures: caption -> values.
        like: what decides black and white: the truth.
    """
    if isinstance(code, Categories):
        return {caption: _classes(code, v) for caption, v in pictures.items()}
    channels = _channels(code, len(like))
    low, high = (np.array([_percentile(like[c], p) for c in channels]) for p in STRETCH)
    return {caption: _stretched(v[channels], low, high) for caption, v in pictures.items()}


def write_pictures(path: Path, rows: Rows) -> None:
    """One .npz, whole or not at all.

    Raises:
        OutputRefused: it cannot be written.
    """
    arrays = {f"{i}|{title}|{caption}": picture for i, (title, found) in enumerate(rows.items())
              for caption, picture in found.items()}  # fmt: skip
    out = BytesIO()
    np.savez_compressed(out, **arrays)  # type: ignore[arg-type]
    written(path, out.getvalue())


def read_pictures(path: Path) -> dict[str, dict[str, Shown]]:
    """The rows of a file.

    Raises:
        SceneUnreadable: it is damaged.
    """
    found: dict[str, dict[str, Shown]] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for name in file.files:
                _, title, caption = name.split("|")
                found.setdefault(title, {})[caption] = file[name]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as cause:
        raise SceneUnreadable(f"{path} cannot be read ({cause}); ask its cell again with --resume") from cause
    return found


def _channels(code: Code, count: int) -> list[int]:
    """Three that make colours, red first where sensors count from blue; one alone in grey."""
    names = code.bands if isinstance(code, Bands) else ()
    for wanted in (("B04", "B03", "B02"), ("SWIR", "NIR", "RED"), ("B12", "B8A", "B05")):
        if set(wanted) <= set(names):
            return [names.index(b) for b in wanted]
    return [2, 1, 0] if count > 2 else [0]


def _percentile(values: np.ndarray, at: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, at)) if len(known) else 0.0


def _stretched(values: Values, low: np.ndarray, high: np.ndarray) -> Shown:
    share = (values - low[:, None, None]) / np.maximum(high - low, 1e-6)[:, None, None]
    grey = np.where(np.isfinite(share), 254 * np.clip(share, 0, 1), UNKNOWN).astype(np.uint8)
    picture: Shown = np.ascontiguousarray(np.broadcast_to(np.moveaxis(grey, 0, -1), (*grey.shape[1:], 3)))
    return picture


def _classes(code: Categories, values: Values) -> Shown:
    found = np.full((*values.shape[1:], 3), UNKNOWN, np.uint8)
    for k, number in enumerate(code.codes):
        found[values[0] == number] = CLASSES[k % len(CLASSES)]
    return found


def same_side(pictures: Sequence[Shown]) -> list[Shown]:
    """Pixels repeated, so that all are as large as the largest."""
    side = max(p.shape[0] for p in pictures)
    repeats = [side // p.shape[0] for p in pictures]
    return [np.kron(p, np.ones((n, n, 1), np.uint8)) for p, n in zip(pictures, repeats, strict=True)]
