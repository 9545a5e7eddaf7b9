"""Checkpoints: all that a training needs to go on, in folders that are either whole or not there.

    checkpoints/step-00000500/
        model.safetensors   what is learned, and buffers
        optim.safetensors   running means of AdamW, "exp_avg/<parameter>"
        ema.safetensors     averages, where they are kept
        state.json          number of steps done, configuration, SHA-256 of each file

A folder is written under another name, flushed, and renamed. Generators need no state (see `loop`), and the place in
the stream is the number of the step. Nothing here can run code when it is read.
"""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from armillary.errors import BadInput, OutputRefused

log = logging.getLogger(__name__)

FORMAT = 1
"""Version of the layout."""

KINDS = ("model", "optim", "ema")

_NAME = re.compile(r"step-(\d{8,})")
_CHUNK = 2**22


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training at rest.

    Args:
        step: how many steps are done.
        tensors: model, optim and ema, each by name.
        config: of the training, as plain values.
    """

    step: int
    tensors: Mapping[str, Mapping[str, Tensor]]
    config: Mapping[str, object]


def save(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint below a folder, then remove all but the last `keep`.

    Raises:
        OutputRefused: it cannot be written; what was there before is still whole.
    """
    target = folder / f"step-{checkpoint.step:08d}"
    aside = folder / f".{target.name}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        _write(aside, checkpoint)
        if target.exists():  # the same step, written again: put the old one out of the way first
            shutil.rmtree(target)
        aside.rename(target)
        flush(folder)
    except (OSError, SafetensorError) as cause:
        shutil.rmtree(aside, ignore_errors=True)
        raise refusal(target, cause) from cause
    for _, old in _found(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return target


def load_last(folder: Path) -> Checkpoint | None:
    """The last whole checkpoint below a folder; one that is damaged is named in a warning and passed over.

    Raises:
        BadInput: there are checkpoints, and none is whole.
    """
    found = _found(folder)
    for _, path in reversed(found):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, SafetensorError) as cause:
            reason = " ".join(str(cause).split()) or type(cause).__name__
            log.warning("checkpoint %s is damaged (%s); going back to the one before it", path, reason)
    if found:
        raise BadInput(f"none of the {len(found)} checkpoints in {folder} can be read; begin again in another folder")
    return None


def refusal(path: Path, cause: Exception) -> OutputRefused:
    """The sentence for a file or folder that cannot be written."""
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else " ".join(str(cause).split())
    full = isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}
    full = full or "No space left" in reason or "quota" in reason
    remedy = "free some space" if full else "choose another -o, or make the folder writable"
    return OutputRefused(f"{path} cannot be written ({reason}); {remedy}, then run again with --resume")


def flush(path: Path) -> None:
    """Bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(aside: Path, checkpoint: Checkpoint) -> None:
    digests = {}
    for kind in KINDS:
        if checkpoint.tensors.get(kind):
            file = aside / f"{kind}.safetensors"
            save_file({n: t.contiguous() for n, t in checkpoint.tensors[kind].items()}, file)
            digests[file.name] = _sha256(file)
            flush(file)
    state = {"format": FORMAT, "step": checkpoint.step, "config": dict(checkpoint.config), "sha256": digests}
    file = aside / "state.json"
    file.write_text(json.dumps(state, indent=1), encoding="utf-8")
    flush(file)
    flush(aside)


def _read(path: Path) -> Checkpoint:
    state = json.loads((path / "state.json").read_text(encoding="utf-8"))
    if state["format"] != FORMAT:
        raise ValueError(f"its format is {state['format']}, this version reads {FORMAT}")
    tensors: dict[str, Mapping[str, Tensor]] = {kind: {} for kind in KINDS}
    for name, digest in state["sha256"].items():
        if _sha256(path / name) != digest:
            raise ValueError(f"{name} has changed since it was written")
        tensors[name.removesuffix(".safetensors")] = load_file(path / name)
    return Checkpoint(int(state["step"]), tensors, state["config"])


def _found(folder: Path) -> list[tuple[int, Path]]:
    return sorted(_numbered(folder)) if folder.is_dir() else []


def _numbered(folder: Path) -> Iterator[tuple[int, Path]]:
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and path.is_dir():
            yield int(match[1]), path


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
