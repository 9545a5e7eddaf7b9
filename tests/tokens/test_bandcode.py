import pytest
import torch

from armillary.earth.bands import Spectral
from armillary.errors import OutOfRange
from armillary.tokens.bandcode import spectral_code


def test_each_band_has_its_own_code_wherever_it_stands() -> None:
    red, blue = Spectral(665, 30), Spectral(490, 65)
    assert torch.equal(spectral_code((red, blue), 128).flip(0), spectral_code((blue, red), 128))


def test_equal_descriptors_have_equal_codes() -> None:
    code = spectral_code((Spectral(5e7, 1e9), Spectral(5e7, 1e9)), 128)
    assert torch.equal(code[0], code[1])


@pytest.mark.parametrize("band", [Spectral(0.49, 0.065), Spectral(99.9, 10), Spectral(2e9, 10), Spectral(490, 2e9)])
def test_what_upstream_was_never_defined_on_is_refused(band: Spectral) -> None:
    with pytest.raises(OutOfRange, match="nanometres"):
        spectral_code((band,), 128)
