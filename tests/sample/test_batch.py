import subprocess
import sys

import pytest
import torch

import armillary as arm
from armillary.errors import BandMismatch, OutOfRange

RED = (arm.Spectral(665, 30),)


def _batch(**facts: object) -> arm.Batch:
    return arm.Batch(**({"pixels": torch.zeros(2, 1, 16, 16), "bands": RED} | facts))


def test_absent_facts_are_unknown_for_every_item() -> None:
    b = _batch()
    assert all(bool(f.isnan().all()) for f in (b.lonlat, b.days, b.token_km2))


def test_a_slice_keeps_each_item_with_its_facts() -> None:
    b = _batch(days=torch.tensor([1.0, 2.0]))[1:]
    assert len(b) == 1
    assert b.days is not None
    assert b.days.tolist() == [2.0]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"lonlat": torch.tensor([[48.0, 111.5], [0.0, 0.0]])}, r"give lonlat as \(longitude, latitude\)"),
        ({"lonlat": torch.tensor([[200.0, 0.0], [0.0, 0.0]])}, "wrap it"),
        ({"lonlat": torch.tensor([[torch.inf, 0.0], [0.0, 0.0]])}, "wrap it"),
        ({"days": torch.tensor([1.6e9, 0.0])}, "give days, not seconds"),
        ({"token_km2": torch.tensor([-1.0, 0.0])}, "square kilometres"),
        ({"patch_px": 17}, "does not fit"),
        ({"patch_px": 0}, "does not fit"),
    ],
)
def test_what_cannot_be_is_refused(facts: dict[str, object], said: str) -> None:
    with pytest.raises(OutOfRange, match=said):
        _batch(**facts)


def test_channels_without_a_band_are_refused() -> None:
    with pytest.raises(BandMismatch, match="2 channels"):
        _batch(pixels=torch.zeros(1, 2, 16, 16))


def test_no_bands_at_all_are_refused() -> None:
    with pytest.raises(BandMismatch, match="hold nothing"):
        _batch(pixels=torch.zeros(1, 0, 16, 16), bands=())


UNCHECKED = """
import numpy as np, torch, armillary as arm
from armillary.errors import BadInput
red = (arm.Spectral(665, 30),)
b = arm.Batch(np.zeros((2, 1, 16, 16), "f4"), red, [[10, 50], [float("nan")] * 2], [1, 2], np.ones(2), patch_px=8.0)
assert all(isinstance(t, torch.Tensor) for t in (b.pixels, b.lonlat, b.days, b.token_km2)) and b.patch_px == 8
pixels = torch.zeros(2, 1, 16, 16)
for facts in ({"pixels": pixels[0]}, {"pixels": pixels.to(torch.complex64)}, {"bands": ("B04",)}, {"bands": "B"},
              {"patch_px": 7.5}, {"lonlat": "here"}, {"days": [[1], [1, 2]]}):
    try:
        arm.Batch(**({"pixels": pixels, "bands": red} | facts))
    except BadInput as error:
        assert "\\n" not in str(error)
    else:
        raise SystemExit(f"{facts} was taken")
"""


def test_a_user_without_type_checks_gets_tensors_or_one_sentence() -> None:
    done = subprocess.run([sys.executable, "-c", UNCHECKED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
