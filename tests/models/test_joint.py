"""Joint encoding and the descriptors of radar, of models that are trained here."""

from dataclasses import replace

import pytest
import torch
from tests.models.test_mae import OWN, PAPERS
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.sample.batch import Batch


@pytest.fixture
def own() -> CopernicusFM:
    return random_model(OWN, seed=1)


def batch_of(name: str, items: int = 2, seed: int = 0) -> Batch:
    sensor = sensors[name]
    side = 3 * sensor.patch_px
    rng = torch.Generator().manual_seed(seed)
    pixels = torch.randn(items, len(sensor.bands), side, side, generator=rng)
    lonlat = torch.tensor([[10.0, 50.0]]).repeat(items, 1)
    area = torch.full((items,), sensor.patch_km2)
    return Batch(pixels, sensor.bands, lonlat, torch.full((items,), 18000.0), area, patch_px=sensor.patch_px)


def test_one_sensor_together_is_the_plain_forward(own: CopernicusFM) -> None:
    batch = batch_of("s2-l2a")
    plain, joint = own(batch), own.together({"s2-l2a": batch})
    assert_close(joint.pooled, plain.pooled)
    assert_close(joint.cls, plain.cls)
    assert_close(joint.grids["s2-l2a"], plain.grid)


def test_the_tokens_of_one_sensor_change_with_the_other(own: CopernicusFM) -> None:
    s2 = batch_of("s2-l2a")
    one, two = (own.together({"s2-l2a": s2, "s1-grd": batch_of("s1-grd", seed=seed)}) for seed in (1, 2))
    assert float((one.pooled - two.pooled).abs().max()) > 1e-4
    assert float((one.grids["s2-l2a"] - two.grids["s2-l2a"]).abs().max()) > 1e-5


def test_the_order_of_sensors_does_not_matter(own: CopernicusFM) -> None:
    s2, s1 = batch_of("s2-l2a"), batch_of("s1-grd", seed=1)
    one, two = own.together({"s2-l2a": s2, "s1-grd": s1}), own.together({"s1-grd": s1, "s2-l2a": s2})
    assert_close(one.pooled, two.pooled, atol=1e-5, rtol=1e-4)


def test_a_place_together_does_not_change_with_its_neighbours(own: CopernicusFM) -> None:
    views = {"s2-l2a": batch_of("s2-l2a", 3), "s1-grd": batch_of("s1-grd", 3)}
    alone = own.together({name: b[1:2] for name, b in views.items()})
    assert_close(alone.pooled, own.together(views).pooled[1:2])


def test_sensors_of_different_numbers_of_places_are_refused(own: CopernicusFM) -> None:
    with pytest.raises(BadInput, match="one length"):
        own.together({"s2-l2a": batch_of("s2-l2a", 2), "s1-grd": batch_of("s1-grd", 3)})
    with pytest.raises(BadInput, match="none"):
        own.together({})


def test_vv_and_vh_share_every_kernel_in_the_compatible_configuration_and_differ_in_ours() -> None:
    """Spec item 2."""
    bands = sensors["s1-grd"].bands
    theirs, _ = random_model(PAPERS, seed=1).kernel(bands, 16)
    assert torch.equal(theirs[:, 0], theirs[:, 1])
    own, _ = random_model(replace(PAPERS, polarised=True), seed=1).kernel(bands, 16)
    assert float((own[:, 0] - own[:, 1]).abs().max()) > 1e-6


def test_exchanged_polarisations_are_seen_by_our_model_and_not_by_theirs(own: CopernicusFM) -> None:
    batch = batch_of("s1-grd")
    crossed = replace(batch, pixels=batch.pixels.flip(1))
    theirs = random_model(PAPERS, seed=1)
    assert_close(theirs(crossed).pooled, theirs(batch).pooled, atol=1e-5, rtol=1e-4)
    ours = own.embed_patches(crossed) - own.embed_patches(batch)  # before norms, which hide how small a random one is
    assert float(ours.abs().max()) > 1e-4


def test_the_order_of_bands_leaves_tokens_alone(own: CopernicusFM) -> None:
    for name in ("s2-l2a", "s1-grd", "s3-olci"):
        batch = batch_of(name)
        order = torch.randperm(len(batch.bands), generator=torch.Generator().manual_seed(0)).tolist()
        mixed = replace(batch, pixels=batch.pixels[:, order], bands=tuple(batch.bands[i] for i in order))
        assert_close(own(mixed).grid, own(batch).grid, atol=1e-5, rtol=1e-4)


def test_every_sensor_of_the_fleet_passes_through_our_model(own: CopernicusFM) -> None:
    for name in sensors:
        assert own(batch_of(name)).grid.shape == (2, 32, 3, 3)
