from xml.etree import ElementTree as ET

import numpy as np
import pytest
from tests.scene.synthetic import grd

from armillary.errors import SceneUnreadable
from armillary.scene.s1.calibration import calibration_of, decibel, noise_of, power

LINES = np.arange(grd.LINES, dtype=float)
PIXELS = np.arange(grd.PIXELS, dtype=float)
LINE, PIXEL = np.meshgrid(LINES, PIXELS, indexing="ij")


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314


def test_sigma0_is_the_squared_count_over_the_squared_bilinear_amplitude():
    dn = grd.counts(1).astype(float)
    table = calibration_of(parsed(grd._calibration()), "sigma0")
    found = power(dn, table.at(LINES, PIXELS))
    truth = np.where(dn > 0, dn**2 / grd.amplitude(LINE, PIXEL) ** 2, np.nan)
    np.testing.assert_allclose(found, truth, rtol=1e-6)


def test_gamma0_and_beta0_have_their_own_amplitudes():
    root = parsed(grd._calibration())
    gamma = calibration_of(root, "gamma0").at(LINES, PIXELS)
    np.testing.assert_allclose(gamma, 1.1 * grd.amplitude(LINE, PIXEL), rtol=1e-7)
    np.testing.assert_allclose(calibration_of(root, "beta0").at(LINES, PIXELS), 500.0)


def test_a_crop_of_the_table_equals_the_table_cropped():
    table = calibration_of(parsed(grd._calibration()), "sigma0")
    whole = table.at(LINES, PIXELS)
    np.testing.assert_array_equal(table.at(LINES[7:9], PIXELS[31:33]), whole[7:9, 31:33])


def test_the_table_stays_constant_beyond_its_vectors():
    table = calibration_of(parsed(grd._calibration()), "sigma0")
    np.testing.assert_allclose(table.at(np.array([60.0, 90.0]), np.array([0.0, 70.0])), [[650, 709], [650, 709]])


@pytest.mark.parametrize("text", [grd._noise_new(), grd._noise_old()], ids=["since 2.90", "before 2.90"])
def test_both_noise_layouts_give_the_closed_form(text):
    found = noise_of(parsed(text))
    assert found is not None
    np.testing.assert_allclose(found.at(LINES, PIXELS), grd.noise(LINE, PIXEL), rtol=1e-9)


def test_noise_above_the_signal_floors_at_zero_and_has_no_decibels():
    x = power(np.array([[3.0, 10.0, 0.0]]), np.ones((1, 3)), np.array([[50.0, 50.0, 50.0]]))
    np.testing.assert_array_equal(x, [[0.0, 50.0, np.nan]])
    np.testing.assert_array_equal(np.isnan(decibel(x)), [[True, False, True]])


def test_decibels_are_ten_times_the_logarithm_of_power():
    np.testing.assert_allclose(decibel(np.array([[0.05, 1.0]])), [[-13.0103, 0.0]], atol=1e-4)


def test_a_noise_table_of_zeros_counts_as_none():
    text = grd._noise_old()
    zero = text.split("<noiseLut")[0] + "<noiseLut>" + "0 " * 60 + "</noiseLut></noiseVector></noiseVectorList></noise>"
    assert noise_of(parsed(zero)) is None


def test_a_vector_with_a_lost_value_is_refused():
    text = grd._calibration().replace("<sigmaNought count='4'>", "<sigmaNought count='4'>1 ", 1)
    with pytest.raises(SceneUnreadable, match="number of pixels"):
        calibration_of(parsed(text), "sigma0")
