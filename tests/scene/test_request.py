"""Request: what a caller gives is read exactly, or refused in one sentence."""

from datetime import date, datetime

import numpy as np
import pytest

from armillary.earth.when import utc
from armillary.errors import BadInput
from armillary.scene.request import Request

SENSED = "2022-07-06T08:56:11"


@pytest.mark.parametrize(
    "text",
    [
        SENSED,
        SENSED + "Z",
        SENSED + "z",
        "2022-07-06 08:56:11",
        "20220706T085611",
        "20220706T085611Z",
        "2022-07-06T10:56:11+02:00",
        "2022-07-06T10:56:11.000+02:00",
        "2022-07-06T10:56:11.000000+02:00",
        "2022-07-06T10:56:11.000000000+02:00",
        "2022-07-06T06:56:11-0200",
        "UTC=2022-07-06T08:56:11",
        datetime(2022, 7, 6, 8, 56, 11),
        np.datetime64(SENSED, "ns"),
    ],
)
def test_every_form_of_iso_8601_is_the_same_instant(text: object) -> None:
    assert utc(text).isoformat() == SENSED + "+00:00"


def test_a_day_begins_at_midnight_utc() -> None:
    assert utc(date(2022, 7, 6)) == utc("2022-07-06") == utc("20220706")


@pytest.mark.parametrize("value", ["", "junk", "2022-13-01", np.datetime64("NaT"), 5, 1657097771, float("nan"), None])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(BadInput, match="ISO 8601"):
        utc(value)


@pytest.mark.parametrize(
    "facts",
    [
        {"bands": ""},
        {"bands": []},
        {"bands": "B04,,B03"},
        {"bands": 5},
        {"offset": float("nan")},
        {"offset": [1]},
        {"resolution": float("nan")},
        {"resolution": float("inf")},
        {"step": 1.5},
        {"step": "a"},
        {"min_qa": "high"},
        {"band": "B04"},
    ],
)
def test_a_fact_that_cannot_be_is_refused_by_name(facts: dict[str, object]) -> None:
    with pytest.raises(BadInput) as caught:
        Request.of(None, facts)
    assert next(iter(facts)) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [0, -10, "-1"])
def test_a_pixel_has_a_size_above_0(size: object) -> None:
    with pytest.raises(BadInput, match="above 0"):
        Request.of(None, {"resolution": size})


def test_a_fact_without_use_is_refused_and_the_only_step_is_no_such_fact() -> None:
    Request.of(None, {"step": 0, "offset": 5}).refuse(("step", "min_qa"), "a product")
    with pytest.raises(BadInput, match="offset= was given for a product"):
        Request.of(None, {"step": 0, "offset": 5}).refuse(("step", "offset"), "a product")
