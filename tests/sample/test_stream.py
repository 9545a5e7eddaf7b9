from collections.abc import Mapping
from itertools import islice

import numpy as np
import pytest
import torch
from tests.sample.places import Invented

from armillary.errors import OutOfRange, SceneUnreadable
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw, Stream, hold_out


def first(stream: Stream, n: int) -> list[Draw]:
    return list(islice(stream, n))


def same(a: Draw, b: Draw) -> bool:
    alike = (a.step, a.keys, a.rows, a.seeds, list(a.samples)) == (b.step, b.keys, b.rows, b.seeds, list(b.samples))
    return alike and all(
        np.array_equal(x.pixels, y.pixels) for s in a.samples for x, y in zip(a.samples[s], b.samples[s], strict=True)
    )


def noisy(samples: Mapping[str, Sample], rng: np.random.Generator) -> Mapping[str, Sample]:
    return {s: Sample(x.pixels + np.float32(rng.normal()), x.sensor, x.window, x.time) for s, x in samples.items()}


def test_equal_streams_give_equal_draws() -> None:
    one, two = (first(Stream(Invented(), 4, seed=3, change=noisy), 5) for _ in range(2))
    assert all(map(same, one, two))


def test_another_seed_gives_other_draws() -> None:
    one, two = (first(Stream(Invented(), 4, seed=s), 1)[0] for s in (1, 2))
    assert not same(one, two)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_number_of_workers_changes_nothing() -> None:
    stream = Stream(Invented(), 4, seed=1, change=noisy)
    alone = first(stream, 6)
    shared = first(Stream(Invented(), 4, seed=1, change=noisy, workers=2), 6)
    assert all(map(same, alone, shared))


def test_a_stream_that_starts_later_goes_on_where_the_first_would_be() -> None:
    stream = Stream(Invented(), 4, seed=1)
    assert all(map(same, first(stream, 9)[6:], first(stream.starting_at(6), 3)))


def test_every_place_comes_once_in_an_epoch_and_in_another_order_in_the_next() -> None:
    keys = [k for d in first(Stream(Invented(places=7), 1, seed=0), 14) for k in d.keys]
    assert set(keys[:7]) == set(keys[7:]) == {f"place-{i}" for i in range(7)}
    assert keys[:7] != keys[7:]


def test_one_place_is_drawn_anew_in_each_epoch() -> None:
    one, two = first(Stream(Invented(places=1), 1, seed=0), 2)
    assert one.seeds != two.seeds
    assert not np.array_equal(one.samples["s2-l2a"][0].pixels, two.samples["s2-l2a"][0].pixels)


@pytest.mark.parametrize("ranks", [2, 3])
def test_processes_take_disjoint_slices_that_make_up_the_batch(ranks: int) -> None:
    stream = Stream(Invented(), 5, seed=1)
    whole = first(stream, 3)
    slices = [first(stream.shared_by(r, ranks), 3) for r in range(ranks)]
    for step, draw in enumerate(whole):
        assert draw.seeds == sum((s[step].seeds for s in slices), ())
        assert draw.keys == sum((s[step].keys for s in slices), ())


def test_an_absent_sensor_is_an_absent_row() -> None:
    draw = first(Stream(Invented(places=6), 6, seed=0), 1)[0]
    with_radar = [i for i, key in enumerate(draw.keys) if int(key.removeprefix("place-")) % 3]
    assert draw.rows["s1-rtc"] == tuple(with_radar)
    assert draw.rows["s2-l2a"] == tuple(range(6))


def test_the_parts_of_a_draw_are_the_draw() -> None:
    draw = first(Stream(Invented(), 7, seed=0), 1)[0]
    parts = draw.split(3)
    assert sum((p.keys for p in parts), ()) == draw.keys
    assert sum((p.seeds for p in parts), ()) == draw.seeds
    for sensor, samples in draw.samples.items():
        assert [s for p in parts for s in p.samples.get(sensor, ())] == list(samples)
    for part in parts:
        for sensor, rows in part.rows.items():
            places = [draw.keys[r] for r in draw.rows[sensor]]
            assert all(part.keys[r] in places for r in rows)


def test_repeats_are_views_of_one_place_that_stay_on_one_process() -> None:
    stream = Stream(Invented(), 6, seed=0, repeats=2)
    for rank in range(2):
        draw = first(stream.shared_by(rank, 2), 1)[0]
        assert draw.keys[0::2] == draw.keys[1::2]
        assert len(set(draw.seeds)) == len(draw)


def test_what_the_source_cannot_read_is_said_in_its_own_sentence() -> None:
    for workers in (0, 1):
        with pytest.raises(SceneUnreadable, match=r"^place 2 cannot be read; it is broken on purpose$"):
            first(Stream(Invented(broken=2), 7, workers=workers), 1)


def test_streaming_leaves_the_random_state_alone() -> None:
    before, numpy = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first(Stream(Invented(), 4), 2)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == numpy  # noqa: NPY002


def test_a_held_out_place_stays_held_out_when_the_source_grows() -> None:
    few, many = hold_out(Invented(places=50), 0.2), hold_out(Invented(places=200), 0.2)
    assert set(few[1]) == {i for i in many[1] if i < 50}
    assert sorted(many[0] + many[1]) == list(range(200))
    assert 20 <= len(many[1]) <= 60


def test_two_places_are_enough_to_hold_one_out() -> None:
    assert [len(side) for side in hold_out(Invented(places=2), 0.1)] == [1, 1]


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    with pytest.raises(OutOfRange, match="2 processes"):
        Stream(Invented(), 1, ranks=2)
    with pytest.raises(OutOfRange, match="no place"):
        Stream(Invented(), 1, places=())
