"""Configurations: frozen values that a YAML file and dotted overrides fill in. An unknown key is an error.

A configuration is a pydantic dataclass; what a file says is checked against its types, and file -> value -> file is
the same. `read` takes any such class.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from armillary.errors import BadInput
from armillary.train.optim import OptimConfig

C = TypeVar("C")
Plain = dict[str, object]

FREE = ("accelerator", "devices", "nodes", "strategy", "workers", "checkpoint_every", "keep")
"""What may change when a run goes on: it decides where and how fast a step is computed, not what it computes."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class TrainConfig:
    """How a training goes, whatever is trained.

    Args:
        steps: updates of the parameters in all.
        batch_size: items of one update, over all processes and accumulated parts.
        optim: how parameters move.
        ema_decay: of the moving average that is evaluated and saved; None uses the parameters themselves.
        accumulate: parts in which a process works on its share of a batch, one after the other.
        accelerator: cpu, gpu or auto.
        devices: processes per machine; auto takes every GPU, one process on a CPU, or what torchrun started.
        nodes: machines; auto believes torchrun.
        strategy: ddp keeps all on each device, fsdp shares parameters, gradients and optimiser between them.
        precision: 32-true, or bf16-mixed: products in bfloat16, parameters in float32.
        compile: whether transformer blocks are compiled (some minutes at the start).
        checkpoint_every: steps between checkpoints.
        keep: how many checkpoints stay.
        held_out_every: steps between evaluations on held-out places.
        held_out_batches: batches of one evaluation.
        seed: of the order of places, of masks and of crops.
        workers: processes that read ahead, for each process that trains.
    """

    steps: Annotated[int, Field(gt=0)] = 1000
    batch_size: Annotated[int, Field(gt=0)] = 16
    optim: OptimConfig = OptimConfig()
    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    accumulate: Annotated[int, Field(gt=0)] = 1
    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    devices: Annotated[int, Field(gt=0)] | Literal["auto"] = "auto"
    nodes: Annotated[int, Field(gt=0)] | Literal["auto"] = "auto"
    strategy: Literal["ddp", "fsdp"] = "ddp"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    compile: bool = False
    checkpoint_every: Annotated[int, Field(gt=0)] = 500
    keep: Annotated[int, Field(gt=0)] = 2
    held_out_every: Annotated[int, Field(gt=0)] = 500
    held_out_batches: Annotated[int, Field(ge=0)] = 4
    seed: Annotated[int, Field(ge=0)] = 0
    workers: Annotated[int, Field(ge=0)] = 0


def read(
    kind: type[C],
    path: str | PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    *,
    start: C | None = None,
) -> C:
    """A configuration from a YAML file and overrides such as "optim.lr=1e-4".

    What neither says is as in `start`, or has its default.

    Raises:
        BadInput: an unknown key, a value of another kind, no such file, or no YAML.
    """
    plain = {} if start is None else to_plain(start)
    _merge(plain, {} if path is None else _load(Path(path)))
    for text in overrides:
        _set(plain, text)
    return from_plain(kind, plain, source="the configuration" if path is None else str(path))


def from_plain(kind: type[C], plain: Plain, *, source: str) -> C:
    """A configuration from plain values; every key must be known."""
    try:
        return TypeAdapter(kind).validate_python(plain)
    except ValidationError as error:
        found = "; ".join(_said(e["loc"], e["type"], e["msg"], e["input"]) for e in error.errors())
        keys = ", ".join(to_plain(kind()))
        raise BadInput(f"{source} is no {kind.__name__}: {found}; known keys are {keys}") from error


def to_plain(config: object) -> Plain:
    """Plain values that YAML and JSON know."""
    plain: Plain = TypeAdapter(type(config)).dump_python(config, mode="json")
    return plain


def to_yaml(config: object) -> str:
    """The text of a configuration file."""
    return yaml.safe_dump(to_plain(config), sort_keys=False)


def differences(kept: Plain, asked: Plain, *, free: Sequence[str] = FREE) -> str:
    """What differs between two configurations and may not, in words; "" when nothing does."""
    one, two = _flat(kept), _flat(asked)
    keys = [k for k in sorted({*one, *two}) if one.get(k) != two.get(k) and k.split(".")[0] not in free]
    return "; ".join(f"{k} was {one.get(k)!r}, now {two.get(k)!r}" for k in keys)


def _flat(plain: Plain, prefix: str = "") -> Plain:
    found: Plain = {}
    for key, value in plain.items():
        inner = _flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
        found.update(inner)
    return found


def _load(path: Path) -> Plain:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise BadInput(f"the configuration {path} cannot be read ({cause.strerror}); give a YAML file") from cause
    except (yaml.YAMLError, UnicodeDecodeError) as cause:
        raise BadInput(f"the configuration {path} is no YAML ({' '.join(str(cause).split())}); mend it") from cause
    if found is not None and not isinstance(found, dict):
        raise BadInput(f"the configuration {path} holds {type(found).__name__}; give keys and values")
    return found or {}


def _merge(plain: Plain, over: Plain) -> None:
    """Put what `over` says into `plain`, key by key."""
    for key, value in over.items():
        inner = plain.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            _merge(inner, value)
        else:
            plain[key] = value


def _set(plain: Plain, text: str) -> None:
    """Put "a.b=value" in its place; the value is read as YAML reads it."""
    name, equals, value = text.partition("=")
    keys = name.strip().split(".")
    if not equals or not all(keys):
        raise BadInput(f"{text!r} overrides nothing; write key=value, such as optim.lr=1e-4")
    for key in keys[:-1]:
        inner = plain.setdefault(key, {})
        if not isinstance(inner, dict):
            raise BadInput(f"{text!r} asks for a part of {key}, which is {inner!r}; see armillary train --help")
        plain = inner
    try:
        plain[keys[-1]] = yaml.safe_load(value)
    except yaml.YAMLError as cause:
        raise BadInput(f"the value of {text!r} cannot be read; quote it as YAML wants") from cause


def _said(where: tuple[int | str, ...], kind: str, message: str, value: object) -> str:
    key = ".".join(str(part) for part in where)
    if kind in {"unexpected_keyword_argument", "extra_forbidden"}:
        return f"there is no key {key}"
    return f"{key} is {value!r}: {message[:1].lower()}{message[1:]}"
