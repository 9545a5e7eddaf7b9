import math

import numpy as np
import pytest
import torch
from tests.models.cop_gens import CLASSES, GROUND, SKY
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.generate.gaussian import Gaussian
from armillary.models.cop_gen import CopGen, CopGenConfig, numbers
from armillary.models.field import Field, cosines, restored, ring_of, transformed
from armillary.models.path import OURS, RELEASED, UNITS
from armillary.models.strand import Strand

NUMBER = Strand("height", channels=1, height=1, width=1, patch=1)
STRANDS = (SKY, GROUND, NUMBER, numbers("place"))


def field(strands: tuple[Strand, ...] = STRANDS, seed: int = 0) -> Field:
    made = Field(strands, OURS)
    made.reset_parameters()
    rng = torch.Generator().manual_seed(seed)
    made.mean.copy_(torch.randn(made.mean.shape, generator=rng))
    made.factor.add_(0.4 * torch.randn(made.factor.shape, generator=rng).tril())
    return made


def pictures(strands: tuple[Strand, ...] = STRANDS, items: int = 2, seed: int = 1) -> dict[int, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {i: torch.randn(items, s.channels, s.height, s.width, generator=rng) for i, s in enumerate(strands)}


def test_cosines_are_orthonormal_and_a_coarse_picture_has_the_first_of_them() -> None:
    assert_close(cosines(8) @ cosines(8).mT, torch.eye(8), atol=1e-6, rtol=0)
    fine = torch.cos(math.pi / 8 * 2 * (torch.arange(8) + 0.5))
    coarse = torch.cos(math.pi / 4 * 2 * (torch.arange(4) + 0.5))
    assert (cosines(8) @ fine).abs().argmax() == (cosines(4) @ coarse).abs().argmax() == 2


def test_what_was_transformed_comes_back() -> None:
    x, made = {i: p for i, p in pictures().items() if i < 3}, field()
    rings = made.rings({i: (p.shape[-2], p.shape[-1]) for i, p in x.items()})
    back = restored(transformed(x, rings), x, rings)
    for i, p in x.items():
        assert_close(back[i], p, atol=1e-5, rtol=1e-5)


def test_rings_begin_at_the_mean_and_grow() -> None:
    rings = ring_of(np.array([0.0, 0.5, 1.0, 1.39, 1.41, 10.0]))
    assert rings.tolist() == [0, 1, 1, 1, 2, 7]


def test_where_all_rings_are_alike_it_is_the_exact_denoiser_of_every_pixel() -> None:
    strands = tuple(Strand(n, channels=1, height=4, width=6, patch=2) for n in "abc")
    made = Field(strands, OURS)
    made.reset_parameters()
    c = torch.tensor([[1.0, 0.8, 0.3], [0.8, 2.0, 0.5], [0.3, 0.5, 0.7]])
    made.factor.copy_(torch.linalg.cholesky(c).expand_as(made.factor))
    exact = Gaussian(tuple(map(tuple, c.tolist())), OURS)
    x = pictures(strands)
    times = torch.tensor([[0.0, 1000.0, 300.0], [500.0, 20.0, 1000.0]])
    said, clean = made(x, times, None)
    told = exact({s.name: x[i] for i, s in enumerate(strands)}, times)
    for i, s in enumerate(strands):
        asked = times[:, i] > 0  # what is given has no noise to tell
        assert_close(said[i][asked], told[s.name][asked], atol=1e-4, rtol=1e-4)
        t = times[:, i, None, None, None] / UNITS
        assert_close(clean[i], OURS.x0(x[i], said[i], t), atol=1e-4, rtol=1e-4)


def test_it_is_the_posterior_mean_of_a_gaussian_over_pictures_of_two_sizes_and_a_number() -> None:
    strands = (Strand("fine", 2, 4, 4, 2), Strand("coarse", 1, 2, 2, 1), NUMBER)
    made, x = field(strands), pictures(strands, items=1)
    times = torch.tensor([[400.0, 0.0, 800.0]])
    # the same Gaussian, every pixel and number at once: pixels = basis @ coefficients
    c = (made.factor @ made.factor.mT).double()
    waves = [
        (i, k, y, z)
        for i, s in enumerate(strands)
        for k in range(s.channels)
        for y in range(s.height)
        for z in range(s.width)
    ]
    channel = [made.channels[i][k] for i, k, _, _ in waves]
    ring = [int(ring_of(np.array([math.hypot(y, z)]))[0]) for _, _, y, z in waves]
    spectrum = torch.zeros(len(waves), len(waves), dtype=torch.float64)
    for a, (_, _, ya, za) in enumerate(waves):
        for b, (_, _, yb, zb) in enumerate(waves):
            if (ya, za) == (yb, zb):
                spectrum[a, b] = c[ring[a], channel[a], channel[b]]
    basis = torch.block_diag(
        *(torch.kron(cosines(s.height), cosines(s.width)).mT for s in strands for _ in range(s.channels))
    ).double()
    covariance = basis @ spectrum @ basis.mT
    flat = torch.cat([x[i].flatten() for i in x]).double()
    of = torch.tensor([i for i, s in enumerate(strands) for _ in range(s.channels * s.height * s.width)])
    alpha, sigma = (f(times[0, of].double() / UNITS) for f in (OURS.alpha, OURS.sigma))
    mean = torch.cat(
        [
            made.mean[made.channels[i][k]].expand(s.height * s.width)
            for i, s in enumerate(strands)
            for k in range(s.channels)
        ]
    ).double()
    total = alpha[:, None] * covariance * alpha + torch.diag(sigma**2)
    expected = mean + covariance @ (alpha * torch.linalg.solve(total, flat - alpha * mean))
    _, clean = made(x, times, None)
    assert_close(torch.cat([clean[i].flatten() for i in x]).double(), expected, atol=1e-4, rtol=1e-4)


def test_what_an_item_has_not_is_not_heard_and_a_row_of_numbers_takes_no_part() -> None:
    made, x = field(), pictures()
    times = torch.tensor([[0.0, 700.0, 900.0, 0.0]]).expand(2, 4)
    present = torch.tensor([[True, True, True, True], [False, True, True, True]])
    one, _ = made(x, times, present)
    other, _ = made(x | {0: x[0] * torch.tensor([1.0, 7.0])[:, None, None, None]}, times, present)
    assert 3 not in one
    assert_close(one[1], other[1])
    left_out, _ = made({i: p for i, p in x.items() if i}, times, None)
    assert_close(one[1][1], left_out[1][1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(one[1][0], left_out[1][0], atol=1e-3)


def test_what_is_given_says_nothing_of_noise_and_is_its_own_guess() -> None:
    made, x = field(), pictures()
    said, clean = made(x, torch.tensor([[0.0, 1000.0, 1000.0, 1000.0]]).expand(2, 4), None)
    assert said[0].abs().max() == 0
    assert_close(clean[0], x[0])


def test_a_wider_tile_has_the_same_mean() -> None:
    made = field()
    x = {i: p for i, p in pictures(items=1).items() if i < 2}
    wide = {i: p.mean(dim=(2, 3), keepdim=True).expand(-1, -1, 3 * p.shape[2], 3 * p.shape[3]) for i, p in x.items()}
    flat = {i: w[..., : x[i].shape[2], : x[i].shape[3]] for i, w in wide.items()}
    times = torch.tensor([[0.0, 1000.0, 1000.0, 1000.0]])
    one, other = made(flat, times, None)[1][1], made(wide, times, None)[1][1]
    assert_close(one.mean(dim=(2, 3)), other.mean(dim=(2, 3)), atol=1e-4, rtol=1e-4)


def test_a_model_with_a_field_begins_as_the_field() -> None:
    config = CopGenConfig((SKY, GROUND, CLASSES), width=32, depth=2, heads=2, pre_norm=True, ground=8, field=OURS)
    model = CopGen(config).eval()
    assert model.field is not None
    x = {s.name: torch.randn(2, s.channels, s.height, s.width) for s in config.strands}
    times = torch.rand(2, 3) * 1000
    with torch.inference_mode():
        said, own = model(x, times), model.field(dict(enumerate(x.values())), times, None)[0]
    for i, name in enumerate(x):
        assert_close(said[name], own[i])
    assert not [n for n, _ in model.named_parameters() if n.startswith("field")]
    assert {n for n in model.state_dict() if n.startswith("field")} == {"field.mean", "field.factor"}


def test_another_prediction_is_refused() -> None:
    with pytest.raises(BadInput, match="answers v, and 'eps' was asked"):
        Field(STRANDS, RELEASED)
