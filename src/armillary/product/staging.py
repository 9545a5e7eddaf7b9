"""Staging: finished token rows on disk, so that a run that is killed goes on where it stopped.

A hidden folder beside the products holds plain float32 files (rows, shares, chips) and a journal. A strip is written
and flushed first, the state to go on from next, the journal last, each by rename: the journal never names what is not
there. The journal is keyed by everything that decides a value; a run with another key is refused, never mixed in.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float

from armillary.errors import OutputRefused
from armillary.product.strips import OpenRows, Strip

_ITEM = 4
"""Bytes of a float32."""


@dataclass(frozen=True)
class Staging:
    """A folder of finished rows.

    Args:
        folder: where.
        shape: rows and columns of the token grid.
        chips: how many chips the scene has.
    """

    folder: Path
    shape: tuple[int, int]
    chips: int

    @property
    def journal(self) -> dict[str, object]:
        """Rows finished, width of an embedding, name of the state file and the key; empty before the first strip."""
        return self._json("journal.json") or {}

    @property
    def width(self) -> int:
        """Length of an embedding."""
        return int(str(self.journal["width"]))

    @property
    def rows_done(self) -> int:
        """Token rows that are finished and safe."""
        return int(str(self.journal.get("rows", 0)))

    def begin(self, config: dict[str, object]) -> None:
        """An empty staging folder that remembers the configuration of its rows."""
        shutil.rmtree(self.folder, ignore_errors=True)
        try:
            self.folder.mkdir(parents=True)
        except OSError as cause:
            raise OutputRefused(
                f"{self.folder.parent} cannot be written ({cause.strerror}); choose another -o"
            ) from cause
        write_aside(self.folder / "config.json", json.dumps(config, indent=1))

    @property
    def config(self) -> dict[str, object] | None:
        """The configuration that the rows here were made with, None when there is no staging."""
        return self._json("config.json")

    def add(self, strip: Strip) -> None:
        """Keep a strip; when it is a place to stop, record it as finished."""
        width = strip.grid.shape[2]
        self._put("rows.f32", strip.rows.start * self.shape[1] * width, strip.grid)
        self._put("share.f32", strip.rows.start * self.shape[1], strip.share)
        if len(strip.chips):
            self._put("chips.f32", strip.chips.start * width, strip.pooled)
            self._put("weights.f32", strip.chips.start, strip.chip_weight)
        if strip.open is None:
            return
        before = self.journal.get("state")
        state = f"open-{strip.open.next_batch}.npz"
        aside = self.folder / f".{state}"
        with aside.open("wb") as file:
            np.savez(
                file, next_batch=strip.open.next_batch, top=strip.open.top, sums=strip.open.sums, share=strip.open.share
            )
            _sync(file.fileno())
        aside.replace(self.folder / state)
        record = {"rows": strip.rows.stop, "width": width, "chips": strip.chips.stop, "state": state}
        write_aside(self.folder / "journal.json", json.dumps(record))
        if before not in (None, state):
            (self.folder / str(before)).unlink(missing_ok=True)

    def resume(self) -> OpenRows | None:
        """The state to go on from, None when nothing is finished."""
        state = self.journal.get("state")
        if state is None:
            return None
        try:
            with np.load(self.folder / str(state), allow_pickle=False) as kept:
                return OpenRows(int(kept["next_batch"]), int(kept["top"]), kept["sums"], kept["share"])
        except (OSError, ValueError, KeyError, BadZipFile) as cause:
            raise self._damaged(str(state)) from cause

    def read(self, rows: slice, cols: slice) -> Float[np.ndarray, "h w d"]:
        """Finished tokens of a crop; NaN where there is none."""
        return self._get("rows.f32", rows, cols, self.width)

    def share(self, rows: slice, cols: slice) -> Float[np.ndarray, "h w"]:
        """Valid pixels of each token of a crop, 0 to 1."""
        return self._get("share.f32", rows, cols, 1)[:, :, 0]

    def pooled(self) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, " n"]]:
        """Pooled vectors of all chips, and the valid tokens each answers for."""
        vectors, weights = (np.fromfile(self.folder / f"{n}.f32", np.float32) for n in ("chips", "weights"))
        if vectors.size != self.chips * self.width or weights.size != self.chips:
            raise self._damaged("chips.f32")
        return vectors.reshape(self.chips, self.width), weights

    def _json(self, name: str) -> dict[str, object] | None:
        path = self.folder / name
        if not path.exists():
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as cause:
            raise self._damaged(name) from cause
        if not isinstance(kept, dict):
            raise self._damaged(name)
        return kept

    def _damaged(self, name: str) -> OutputRefused:
        return OutputRefused(
            f"{name} of the interrupted run in {self.folder.parent} is damaged; --overwrite begins again"
        )

    def _put(self, name: str, offset: int, values: Float[np.ndarray, "..."]) -> None:
        path = self.folder / name
        with path.open("r+b" if path.exists() else "wb") as file:
            file.seek(offset * _ITEM)
            file.write(np.ascontiguousarray(values, np.float32).data)
            _sync(file.fileno())

    def _get(self, name: str, rows: slice, cols: slice, width: int) -> Float[np.ndarray, "h w d"]:
        block = np.empty((rows.stop - rows.start, cols.stop - cols.start, width), np.float32)
        with (self.folder / name).open("rb") as file:
            for i, row in enumerate(range(rows.start, rows.stop)):
                file.seek((row * self.shape[1] + cols.start) * width * _ITEM)
                if file.readinto(block[i].data) != block[i].nbytes:
                    raise self._damaged(name)
        return block


def differences(kept: dict[str, object], asked: dict[str, object]) -> str:
    """What differs between two configurations, in words; "" when nothing does."""
    said = []
    for k in (k for k in sorted({*kept, *asked}) if kept.get(k) != asked.get(k)):
        before, now = kept.get(k), asked.get(k)
        if isinstance(before, dict) and isinstance(now, dict):
            said.append(f"{k}: {differences(before, now)}")
        else:
            said.append(f"{k} was {_short(before)}, now {_short(now)}")
    return "; ".join(said)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def write_aside(path: Path, text: str) -> None:
    """Write a text beside its name, flush it, then rename it."""
    aside = path.with_name(f".{path.name}.part")
    with aside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        _sync(file.fileno())
    aside.replace(path)


def _sync(descriptor: int) -> None:
    os.fsync(descriptor)
