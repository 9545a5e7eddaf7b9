import torch
from torch.testing import assert_close

from armillary.nn.fourier import expand
from armillary.nn.init import initialise
from armillary.tokens.where import Where

LONLAT = torch.tensor([[11.5, 48.25], [-60.125, -3.0]])
DAYS = torch.tensor([18500.0, 19000.0])
KM2 = torch.tensor([0.0256, 5.76])


def _where() -> Where:
    where = Where(24, degrees_in_float32=True, unknown_spoils_batch=False)
    initialise(where, torch.Generator().manual_seed(0))
    return where


def test_all_known_is_the_sum_of_three_linear_layers() -> None:
    where = _where()
    place = torch.cat(
        [expand(LONLAT[:, i] + o, shortest=1e-4, longest=720.0, width=12) for i, o in ((0, 180), (1, 90))], 1
    )
    want = where.place.linear(place)
    want = want + where.area.linear(expand(KM2, shortest=1e-3, longest=5.1e8, width=24))
    want = want + where.time.linear(expand(DAYS, shortest=1.0, longest=365.25, width=24))
    assert_close(where(LONLAT, DAYS, KM2), want)


def test_one_unknown_coordinate_makes_the_place_unknown() -> None:
    where = _where()
    only_lat, neither = LONLAT.clone(), LONLAT.clone()
    only_lat[0, 0] = torch.nan
    neither[0] = torch.nan
    assert_close(where(only_lat, DAYS, KM2), where(neither, DAYS, KM2))


def test_an_unknown_fact_is_the_learned_token_through_the_same_layer() -> None:
    where = _where()
    nothing = where(torch.full((1, 2), torch.nan), torch.full((1,), torch.nan), torch.full((1,), torch.nan))
    want = sum(f.linear(f.unknown[0, 0]) for f in (where.place, where.area, where.time))
    assert_close(nothing[0], want)


def test_one_unknown_item_leaves_others_alone() -> None:
    where = _where()
    holes = LONLAT.clone()
    holes[1] = torch.nan
    assert torch.equal(where(holes, DAYS, KM2)[0], where(LONLAT, DAYS, KM2)[0])


def test_gradients_stay_finite_beside_an_unknown() -> None:
    where = _where()
    where(torch.full((2, 2), torch.nan), DAYS, KM2).sum().backward()
    assert all(
        p.grad is not None and bool(torch.isfinite(p.grad).all())
        for p in where.parameters()
        if p is not where.time.unknown and p is not where.area.unknown
    )
