"""Products that know themselves: what the caller says must fit, and no fact is passed over in silence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.scene.synthetic import grd, safe, tropomi
from tests.scene.synthetic.rasters import quiet

from armillary.errors import BadInput, BandMismatch, OutOfRange, SensorUnknown

Make = Callable[[Path], Path]


def granule(folder: Path) -> Path:
    return tropomi.write(folder / "S5P_OFFL_L2__NO2____20200101T000000.nc")


def gridded(folder: Path) -> Path:
    return tropomi.write_grid(folder / "grid.nc")


def flat(folder: Path) -> Path:
    return tropomi.write_flat(folder / "flat.nc")


@pytest.mark.parametrize(
    ("make", "facts"),
    [
        *((grd.write, {k: 1}) for k in ("offset", "min_qa", "step")),
        *((granule, {k: 1}) for k in ("unit", "offset", "step")),
        (flat, {"min_qa": 0.5}),
        *((gridded, f) for f in ({"resolution": 0.1}, {"crs": "EPSG:32632"}, {"min_qa": 0.5}, {"step": 2})),
    ],
)
def test_a_fact_that_changes_nothing_is_refused_not_passed_over(
    make: Make, facts: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=next(iter(facts))):
        quiet(make(tmp_path), **facts)


@pytest.mark.parametrize("make", [grd.write, granule])
@pytest.mark.parametrize("resolution", [1e-9, 1e9])
def test_a_grid_that_no_memory_holds_or_that_dwarfs_the_swath_is_refused(
    make: Make, resolution: float, tmp_path: Path
) -> None:
    with pytest.raises(OutOfRange, match="resolution="):
        quiet(make(tmp_path), resolution=resolution)


def test_polarisations_may_be_written_small_and_reversed(tmp_path: Path) -> None:
    product = grd.write(tmp_path)
    np.testing.assert_array_equal(quiet(product, bands="vh,vv").values, quiet(product).values[::-1])


@pytest.mark.parametrize("bands", ["VV,VV", "B04", "vv,VV"])
def test_polarisations_that_are_not_there_or_named_twice_are_refused(bands: str, tmp_path: Path) -> None:
    with pytest.raises(BandMismatch):
        quiet(grd.write(tmp_path), bands=bands)


@pytest.mark.parametrize("bands", [None, "B02,B03"])
def test_a_level_2a_product_is_never_opened_as_level_1c(bands: str | None, tmp_path: Path) -> None:
    with pytest.raises(SensorUnknown, match="is s2-l2a"):
        quiet(safe.write_safe(tmp_path), sensor="s2-l1c", bands=bands)
