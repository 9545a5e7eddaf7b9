"""Law 8: equal values hash equally, and what holds a tensor compares by identity."""

import dataclasses
import importlib
import inspect
import pkgutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

import armillary
import armillary as arm

ROOMS = [
    m.name
    for m in pkgutil.walk_packages(armillary.__path__, "armillary.")
    if m.name.split(".")[1] in {"earth", "sample", "tokens", "models", "nn", "generate"}
]
HOLDERS = [
    value
    for name in ROOMS
    for _, value in inspect.getmembers(importlib.import_module(name), dataclasses.is_dataclass)
    if value.__module__ == name
    and any("jaxtyping" in str(f.type) or "Float" in str(f.type) for f in dataclasses.fields(value))
]


@given(center=st.floats(1, 1e9), width=st.floats(0, 1e9))
def test_equal_bands_hash_equally(center: float, width: float) -> None:
    one, two = arm.Spectral(center, width), arm.Spectral(center, width)
    assert one == two
    assert hash(one) == hash(two)


def test_integers_and_floats_name_the_same_band() -> None:
    assert hash(arm.Spectral(490, 65)) == hash(arm.Spectral(490.0, 65.0))


def test_named_bands_with_equal_vectors_are_one_key() -> None:
    vector = tuple(i / 3 for i in range(2048))
    assert {arm.Named("x", vector): 1} == {arm.Named("x", vector): 1}
    assert arm.Named("x", vector) != arm.Named("x")


def test_every_sensor_is_a_key() -> None:
    assert {s: n for n, s in arm.sensors.items()}[arm.sensors["dem"]] == "dem"


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda h: h.__name__)
def test_what_holds_a_tensor_compares_by_identity(holder: type) -> None:
    assert holder.__eq__ is object.__eq__
    assert holder.__hash__ is object.__hash__


def test_tensor_holders_were_found() -> None:
    assert {"Batch", "Tokens"} <= {h.__name__ for h in HOLDERS}
