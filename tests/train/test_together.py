from dataclasses import replace

import pytest
import torch
from tests.train.tiny import draw_of, tiny_mae
from torch.testing import assert_close

from armillary.models.mae import MaskedAutoencoder
from armillary.sample.stream import Draw
from armillary.train.kin import kin_of
from armillary.train.reconstruct import Targets, reconstruction
from armillary.train.together import Together, companies, encode_together

PAIR = {"s1-grd": (0, 1), "s2-l2a": (0, 1)}
VALUES = Targets(scale="values")


@pytest.fixture
def mae() -> MaskedAutoencoder:
    return tiny_mae()


def together_of(mae: MaskedAutoencoder) -> Together:
    return Together(mae, 0.7, VALUES, 0.5)


def kins_of(mae: MaskedAutoencoder, draw: Draw):  # type: ignore[no-untyped-def]
    return [(kin, mae.encoder.card.collate(kin.samples)) for kin in kin_of(draw)]


def step_that_hides(term: Together, name: str | None) -> int:
    return next(s for s in range(100) if term._hidden(tuple(PAIR), s) == name)


def test_places_with_company_are_grouped_by_their_sensors_and_lonely_ones_left_out(mae: MaskedAutoencoder) -> None:
    rows = {"s1-grd": (0, 2, 3), "s2-l2a": (0, 1, 2, 3), "dem": (3,)}
    found = {tuple(sorted(c.kins)): tuple(c.kins["s1-grd"].rows) for c in companies(kins_of(mae, draw_of(rows, 5)))}
    assert found == {("s1-grd", "s2-l2a"): (0, 2), ("dem", "s1-grd", "s2-l2a"): (3,)}


def test_the_sensors_of_a_company_stand_in_the_order_of_their_places(mae: MaskedAutoencoder) -> None:
    rows = {"s1-grd": (2, 0), "s2-l2a": (0, 1, 2)}
    (company,) = companies(kins_of(mae, draw_of(rows, 3)))
    assert company.kins["s1-grd"].rows == company.kins["s2-l2a"].rows
    for name, kin in company.kins.items():
        assert_close(company.batches[name].pixels, mae.encoder.card.collate(kin.samples).pixels)


def test_a_draw_without_company_has_no_term(mae: MaskedAutoencoder) -> None:
    assert together_of(mae)(kins_of(mae, draw_of({"s1-grd": (0,), "s2-l2a": (1,)}, 2)), 0) == {}


def test_about_half_of_the_steps_hide_a_sensor_each_as_often(mae: MaskedAutoencoder) -> None:
    hidden = [together_of(mae)._hidden(tuple(PAIR), step) for step in range(2000)]
    assert hidden.count(None) == pytest.approx(1000, abs=100)
    assert hidden.count("s1-grd") == pytest.approx(500, abs=90)


@pytest.mark.parametrize("name", ["s1-grd", "s2-l2a"])
def test_a_hidden_sensor_is_rebuilt_from_the_pixels_of_the_other_alone(mae: MaskedAutoencoder, name: str) -> None:
    term = together_of(mae).eval()
    (company,) = companies(kins_of(mae, draw_of(PAIR, 2)))
    batches = {n: replace(b, pixels=b.pixels.clone().requires_grad_()) for n, b in company.batches.items()}
    at = {n: term._visible(b, company.kins[n].seeds) for n, b in batches.items() if n != name}
    seen, grids = encode_together(mae, batches, at)
    assert set(seen) == set(PAIR) - {name}
    (others,) = seen.values()
    codes = mae.encoder.codes(batches[name].bands)
    none = torch.empty(2, 0, dtype=torch.long)
    mae.decoder(others[:, :1], none, batches[name], codes, grids[name], others[:, 1:]).square().sum().backward()
    assert batches[name].pixels.grad is None
    (shown,) = (b.pixels.grad for n, b in batches.items() if n != name)
    assert shown is not None
    assert float(shown.abs().max()) > 0


def test_a_wholly_hidden_sensor_counts_every_patch_and_another_its_masked_ones(mae: MaskedAutoencoder) -> None:
    term, kins = together_of(mae), kins_of(mae, draw_of(PAIR, 2))
    whole = term(kins, step_that_hides(term, "s1-grd"))["together"]
    none = term(kins, step_that_hides(term, None))["together"]
    assert float(whole.count) == 2 * (9 + 7)
    assert float(none.count) == 2 * (7 + 7)


def test_pixels_of_a_hidden_sensor_are_only_compared_with(mae: MaskedAutoencoder) -> None:
    """Changing them changes the loss as it changes the targets, and no prediction."""
    term = together_of(mae).eval()
    step, kins = step_that_hides(term, "s1-grd"), kins_of(mae, draw_of(PAIR, 2))
    changed = [(k, replace(b, pixels=b.pixels + 1) if k.sensor.name == "s1-grd" else b) for k, b in kins]
    found = {}
    for name, given in (("before", kins), ("after", changed)):
        torch.manual_seed(0)
        found[name] = float(term(given, step)["together"].sum.detach())
    by_hand = {}
    (company,) = companies(kins)
    at = {"s2-l2a": term._visible(company.batches["s2-l2a"], company.kins["s2-l2a"].seeds)}
    seen, grids = encode_together(mae, company.batches, at)
    s2 = seen["s2-l2a"]
    radar = company.batches["s1-grd"]
    pixels = mae.decoder(
        s2[:, :1],
        torch.empty(2, 0, dtype=torch.long),
        radar,
        mae.encoder.codes(radar.bands),
        grids["s1-grd"],
        s2[:, 1:],
    )
    hidden = torch.ones(2, 9, dtype=torch.bool)
    for name, given in (("before", radar), ("after", replace(radar, pixels=radar.pixels + 1))):
        by_hand[name] = float(reconstruction(pixels.detach(), VALUES.of(given), hidden)[0].sum())
    assert found["after"] - found["before"] == pytest.approx(by_hand["after"] - by_hand["before"], rel=1e-4)


def test_the_term_does_not_depend_on_how_a_draw_is_split(mae: MaskedAutoencoder) -> None:
    term = together_of(mae)
    draw = draw_of({"s1-grd": (0, 1, 3), "s2-l2a": (0, 1, 2, 3)}, 4)
    for step in range(4):
        whole = term(kins_of(mae, draw), step)["together"]
        parts = [term(kins_of(mae, part), step)["together"] for part in draw.split(2)]
        assert_close(sum(p.sum for p in parts), whole.sum, rtol=1e-4, atol=1e-4)
        assert_close(sum(p.count for p in parts), whole.count)
