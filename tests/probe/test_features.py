from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.earth.window import Window
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, CopernicusFMConfig, random_model
from armillary.probe.features import BLIND, Shelf, View, encoder, fingerprint, frozen, seen
from armillary.sample.sample import Sample

RGB = sensors["s2-l1c"].select(("B04", "B03", "B02"))


def _samples(count: int = 5) -> list[Sample]:
    rng = np.random.default_rng(0)
    return [
        Sample(
            rng.uniform(0, 0.4, (3, 32, 32)).astype(np.float32),
            RGB,
            Window.of((32, 32), (10.0, 0.0, 5e5 + 1e4 * i, 0.0, -10.0, 5.2e6), "EPSG:32632"),
        )
        for i in range(count)
    ]


@pytest.fixture(scope="module")
def model() -> CopernicusFM:
    return random_model(CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4), seed=3)


@pytest.mark.parametrize("output", ["pooled", "cls", "grid"])
def test_features_do_not_depend_on_the_size_of_the_batches(model: CopernicusFM, output: str) -> None:
    encode = encoder(model, View(output))
    np.testing.assert_allclose(
        frozen(_samples(), encode, batch_size=2), frozen(_samples(), encode, batch_size=5), atol=1e-5
    )


def test_pixels_alone_do_not_tell_the_place(model: CopernicusFM) -> None:
    moved = [Sample(s.pixels, s.sensor, _samples()[0].window) for s in _samples()]
    blind, told = encoder(model, BLIND), encoder(model)
    assert_close(blind(moved), blind(_samples()))
    assert not torch.allclose(told(moved), told(_samples()), atol=1e-4)


def test_resizing_moves_the_area_of_a_token_along(model: CopernicusFM) -> None:
    batch = model.card.collate(_samples())
    half = seen(batch, View(side_px=16))
    assert half.pixels.shape[-2:] == (16, 16)
    assert batch.token_km2 is not None
    assert half.token_km2 is not None
    assert_close(half.token_km2, batch.token_km2 * 4)


def test_what_is_kept_is_what_was_computed_to_the_bit(tmp_path: Path) -> None:
    shelf, calls = Shelf(tmp_path / "new"), []

    def make() -> Float[np.ndarray, "n d"]:
        calls.append(1)
        return np.random.default_rng(0).normal(size=(7, 3))

    first, second = shelf.get(make, "a", 1), shelf.get(make, "a", 1)
    assert np.array_equal(first, second)
    assert np.array_equal(first, np.random.default_rng(0).normal(size=(7, 3)))
    assert len(calls) == 1
    assert isinstance(second, np.memmap)


def test_other_weights_have_another_fingerprint(model: CopernicusFM) -> None:
    other = random_model(model.config, seed=3)
    assert fingerprint(model) == fingerprint(other)
    with torch.no_grad():
        next(other.parameters()).add_(1e-3)
    assert fingerprint(model) != fingerprint(other)


def test_another_array_or_file_has_another_fingerprint(tmp_path: Path) -> None:
    x = np.arange(6.0)
    assert fingerprint(x) == fingerprint(x.copy()) != fingerprint(x.reshape(2, 3))
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    before = fingerprint(path)
    path.write_bytes(b"two")
    assert fingerprint(path) != before


def test_any_callable_is_an_encoder() -> None:
    def means(samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        return torch.stack([torch.from_numpy(s.pixels).mean(dim=(1, 2)) for s in samples])

    expected = np.stack([s.pixels.mean(axis=(1, 2)) for s in _samples()])
    np.testing.assert_allclose(frozen(_samples(), means, batch_size=2), expected, atol=1e-6)


def test_an_output_that_no_model_has_is_refused() -> None:
    with pytest.raises(BadInput, match="pooled, cls, grid"):
        View("logits")


def test_features_of_nothing_are_refused(model: CopernicusFM) -> None:
    with pytest.raises(BadInput, match="at least one"):
        frozen([], encoder(model))
