from dataclasses import replace

import pytest
from tests.train.tiny import draw_of, sample_of, tiny_mae

from armillary.sample.stream import Draw
from armillary.train.kin import grid_of, kin_of

ROWS = {"s2-l2a": (0, 1, 3), "s1-grd": (1, 2)}


def test_kin_share_sensor_bands_and_size() -> None:
    draw = draw_of({"s2-l2a": (0, 1)}, 4)
    odd = (sample_of("s2-l2a", 2, tokens=2), replace_bands(sample_of("s2-l2a", 3)))
    mixed = Draw(0, draw.keys, {"s2-l2a": (*draw.samples["s2-l2a"], *odd)}, {"s2-l2a": (0, 1, 2, 3)}, draw.seeds)
    assert sorted(kin.rows for kin in kin_of(mixed)) == [(0, 1), (2,), (3,)]


def replace_bands(sample):  # type: ignore[no-untyped-def]
    return replace(sample, pixels=sample.pixels[:2], sensor=sample.sensor.select(sample.sensor.band_names[:2]))


def test_every_sample_is_of_one_kin_and_keeps_its_row() -> None:
    draw = draw_of(ROWS, 4)
    found = {(kin.sensor.name, row): s for kin in kin_of(draw) for row, s in zip(kin.rows, kin.samples, strict=True)}
    want = {(name, row): s for name, at in ROWS.items() for row, s in zip(at, draw.samples[name], strict=True)}
    assert found == want


def test_seeds_differ_between_the_sensors_of_an_item_and_come_from_the_item_alone() -> None:
    draw = draw_of(ROWS, 4)
    whole = {(kin.sensor.name, kin.rows[i]): s for kin in kin_of(draw) for i, s in enumerate(kin.seeds)}
    assert whole["s2-l2a", 1] != whole["s1-grd", 1]
    _, second = draw.split(2)
    parts = {(kin.sensor.name, kin.rows[i] + 2): s for kin in kin_of(second) for i, s in enumerate(kin.seeds)}
    assert parts == {key: s for key, s in whole.items() if key[1] >= 2}


def test_seeds_stay_within_what_a_generator_takes() -> None:
    draw = replace(draw_of(ROWS, 4), seeds=(2**63 - 1,) * 4)
    assert all(0 <= s < 2**63 for kin in kin_of(draw) for s in kin.seeds)


def test_some_of_the_kin() -> None:
    (_, kin) = kin_of(draw_of(ROWS, 4))
    part = kin.only((2, 0))
    assert (part.rows, part.seeds) == ((3, 0), (kin.seeds[2], kin.seeds[0]))


@pytest.mark.parametrize("name", ["s2-l2a", "s3-olci", "s5p-no2", "dem"])
def test_the_grid_is_the_one_that_the_encoder_makes(name: str) -> None:
    mae = tiny_mae()
    batch = mae.encoder.card.collate([sample_of(name, 0, tokens=2)])
    assert grid_of(mae, batch) == mae.encoder.enter(batch)[1] == (2, 2)
