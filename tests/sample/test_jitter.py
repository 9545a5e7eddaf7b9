"""Jitter: bands and their style change alike, other strands not at all."""

import numpy as np
import pytest
from jaxtyping import Float

from armillary.sample.jitter import jittered
from armillary.sample.known_strands import thumb
from armillary.sample.strands import Item, Style, encode

CODES = thumb(16, 2)


@pytest.fixture
def pictures() -> dict[str, Float[np.ndarray, "_ 8 8"]]:
    rng = np.random.default_rng(0)
    return {c.name: rng.uniform(20, 200, c.shape).astype(np.float32) for c in CODES if not isinstance(c, Style)}


def _with_styles(pictures: Item) -> Item:
    own = {
        f"{n}-style": np.concatenate([v.mean(axis=(1, 2)), v.std(axis=(1, 2))])[:, None, None]
        for n, v in pictures.items()
        if n != "flood"
    }
    return encode({**pictures, **own}, CODES)


def test_a_picture_and_its_own_style_still_agree(pictures: Item) -> None:
    changed = jittered(_with_styles(pictures), CODES, 0.4, np.random.default_rng(1))
    codes = {c.name: c for c in CODES}
    for name in ("s1-before", "s2-after"):
        picture, style = (codes[n].decode(changed[n]) for n in (name, f"{name}-style"))
        mean, deviation = np.split(style[:, 0, 0], 2)
        np.testing.assert_allclose(picture.mean(axis=(1, 2)), mean, rtol=1e-3, atol=1e-2)
        np.testing.assert_allclose(picture.std(axis=(1, 2)), deviation, rtol=1e-3)
        assert not np.allclose(changed[name], encode(pictures, CODES)[name], atol=0.05)


def test_before_and_after_change_alike_and_the_flood_not_at_all(pictures: Item) -> None:
    same = {**pictures, "s2-after": pictures["s2-before"]}
    changed = jittered(encode(same, CODES), CODES, 0.4, np.random.default_rng(2))
    np.testing.assert_array_equal(changed["s2-after"], changed["s2-before"])
    np.testing.assert_array_equal(changed["flood"], encode(same, CODES)["flood"])


def test_no_amount_changes_nothing(pictures: Item) -> None:
    item = _with_styles(pictures)
    for name, v in jittered(item, CODES, 0.0, np.random.default_rng(3)).items():
        np.testing.assert_allclose(v, item[name], atol=1e-5)
