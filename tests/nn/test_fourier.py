import math

import torch
from torch.testing import assert_close

from armillary.nn.fourier import expand, sincos_grid


def test_the_first_and_last_wavelengths_are_the_limits() -> None:
    wave = expand(torch.tensor([3.0]), shortest=2.0, longest=50.0, width=8)[0]
    assert_close(wave[0], torch.tensor(math.sin(2 * math.pi * 3 / 2)), atol=1e-6, rtol=0)
    assert_close(wave[7], torch.tensor(math.cos(2 * math.pi * 3 / 50)))


def test_sine_and_cosine_of_one_wavelength_lie_on_the_circle() -> None:
    wave = expand(torch.linspace(-400, 400, 9), shortest=1e-4, longest=720.0, width=64)
    assert_close(wave[:, :32] ** 2 + wave[:, 32:] ** 2, torch.ones(9, 32))


def test_an_unknown_number_stays_unknown() -> None:
    assert bool(expand(torch.tensor([torch.nan]), shortest=1.0, longest=2.0, width=4).isnan().all())


def test_the_position_table_holds_the_column_in_its_first_half_and_the_row_in_its_second() -> None:
    table = sincos_grid(5, 16).reshape(5, 5, 16)
    assert torch.equal(table[0, :, :8], table[4, :, :8])
    assert torch.equal(table[:, 0, 8:], table[:, 4, 8:])
    assert torch.equal(table[2, 3], torch.cat((table[0, 3, :8], table[2, 0, 8:])))


def test_the_position_table_has_the_frequencies_of_the_paper() -> None:
    row = sincos_grid(4, 16)[3]
    i = torch.arange(4, dtype=torch.float64)
    phase = 3 * 10000 ** (-i / 4)
    assert_close(row[:8], torch.cat((phase.sin(), phase.cos())).float())
