"""TreeSatAI series: on a synthetic file in their layout, and on the real sample where it is."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from armillary.errors import BadInput, SensorUnknown
from armillary.scene.open import open

S2 = ["S2A_MSIL2A_20200102T102421_N0213_R065_T32UNC_20200102T115419"]
S2 += ["S2A_MSIL2A_20220302T102421_N0400_R065_T32UNC_20220302T115419"]
S1 = {"asc": "S1A_IW_GRDH_1SDV_20200103T170841_20200103T170906_030639_0382D5_360A"}
S1 |= {"des": "S1B_IW_GRDH_1SDV_20200106T053252_20200106T053317_019692_025399_6B7A"}


@pytest.fixture
def synthetic(tmp_path: Path) -> Path:
    path = tmp_path / "Picea_abies_1.h5"
    with h5py.File(path, "w") as file:
        counts = np.full((2, 10, 6, 6), 1500, np.float32) + 100 * np.arange(10, dtype=np.float32)[None, :, None, None]
        file["sen-2-data"], file["sen-2-products"] = counts, S2
        for way, name in S1.items():
            file[f"sen-1-{way}-data"] = np.full((1, 2, 6, 6), 0.1 if way == "asc" else 0.01, np.float32)
            file[f"sen-1-{way}-products"] = [name]
    return path


def test_the_baseline_of_each_step_decides_its_offset(synthetic: Path) -> None:
    before, after = (open(synthetic, "s2-l2a", step=i) for i in (0, 1))
    np.testing.assert_allclose(before.sel(band="B02").values, 0.15, rtol=1e-6)
    np.testing.assert_allclose(after.sel(band="B02").values, 0.05, rtol=1e-6)


def test_both_passes_are_one_series_in_time_order(synthetic: Path) -> None:
    values = [float(open(synthetic, "s1-grd", step=i).values[0, 0, 0]) for i in (0, 1)]
    np.testing.assert_allclose(values, [-10, -20], rtol=1e-6)


def test_the_nearest_time_is_chosen(synthetic: Path) -> None:
    assert open(synthetic, "s1-grd", time="2020-02-01").attrs["time"] == "2020-01-06T05:32:52Z"


def test_without_a_sensor_the_choice_is_named(synthetic: Path) -> None:
    with pytest.raises(SensorUnknown, match="s2-l2a, s1-grd"):
        open(synthetic)


def test_a_step_outside_the_series_is_refused(synthetic: Path) -> None:
    with pytest.raises(BadInput, match="steps 0 to 1"):
        open(synthetic, "s2-l2a", step=2)


def test_the_real_sample_is_plausible(shared: Path) -> None:
    file = next((shared / "data" / "treesatai_1sample").glob("*.h5"))
    radar, optical = open(file, "s1-grd"), open(file, "s2-l2a", time="2020-06-01")
    assert -15 < float(radar.sel(band="VV").median()) < -5
    assert 0.1 < float(optical.sel(band="B08").median()) < 1.2
