from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.lib.format import open_memmap
from tests.bench.invented import RGB, Chips, Memory, task

from armillary.bench.encoders.encoder import Look, Sight
from armillary.bench.encoders.zoo import ZooEncoder
from armillary.bench.features.frozen import Shot, _begin, _fill, freeze, of_shape
from armillary.bench.features.known import read_known
from armillary.bench.task import Joined
from armillary.earth.window import Window
from armillary.errors import BadInput, SceneUnreadable
from armillary.models.copernicus_fm import CopernicusFMConfig, random_model
from armillary.sample.sample import Sample

FACTS = ("place", "time", "area")
PIXELS_ALONE = Look()


class Means:
    """Means of the bands, and a map of the pixels; counts what it sees."""

    name, digest, told = "means", "v1", ()

    def __init__(self, stop_after: int | None = None) -> None:
        self.seen, self.stop_after = 0, stop_after

    def see(self, samples: Sequence[Sample], look: Look) -> Sight:
        self.seen += len(samples)
        if self.stop_after is not None and self.seen > self.stop_after:
            raise KeyboardInterrupt
        x = torch.from_numpy(np.stack([s.pixels for s in samples]))
        return Sight(x.mean(dim=(2, 3)), (x,) * 4 if look.maps else ())


def _shot(tmp_path: Path, encoder: object, look: Look = PIXELS_ALONE, shots: int = 1, joined: Joined = "one") -> Shot:
    one = task(shots=shots, joined=joined)
    files = Memory()
    items = one.read(files)
    return Shot(one, items, read_known(one, files, items, tmp_path), encoder, look)


@pytest.fixture(scope="module")
def nano() -> ZooEncoder:
    config = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4)
    return ZooEncoder.of("tiny", random_model(config, seed=3))


def test_features_are_those_of_each_item_alone(tmp_path: Path) -> None:
    shot = _shot(tmp_path, Means(), Look(maps=True))
    seen = freeze(shot, tmp_path, batch_size=7)
    pixels = np.stack([shot.items.item(n).samples[0].pixels for n in range(60)])
    np.testing.assert_allclose(seen.vectors, pixels.mean(axis=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(seen.maps[3], pixels, rtol=1e-3)
    assert seen.maps[0].dtype == np.float16


@pytest.mark.parametrize("size", [1, 4, 16])
def test_a_model_gives_the_same_features_for_every_batch_size(tmp_path: Path, nano: ZooEncoder, size: int) -> None:
    look = Look(FACTS, maps=True)
    whole = freeze(_shot(tmp_path, nano, look), tmp_path / "whole", batch_size=60)
    other = freeze(_shot(tmp_path, nano, look), tmp_path / str(size), batch_size=size)
    np.testing.assert_allclose(other.vectors, whole.vectors, atol=2e-6)
    np.testing.assert_allclose(other.maps[3], whole.maps[3], atol=4e-3)


def test_what_is_kept_is_not_computed_again(tmp_path: Path) -> None:
    freeze(_shot(tmp_path, Means()), tmp_path)
    again = Means()
    seen = freeze(_shot(tmp_path, again), tmp_path)
    assert again.seen == 0
    assert isinstance(seen.vectors, np.memmap)


def test_a_run_that_was_stopped_goes_on_where_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("armillary.bench.features.frozen.FLUSH_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        freeze(_shot(tmp_path, Means(stop_after=31)), tmp_path, batch_size=10)
    rest = Means()
    seen = freeze(_shot(tmp_path, rest), tmp_path, batch_size=10)
    assert rest.seen == 30
    fresh = freeze(_shot(tmp_path, Means()), tmp_path / "fresh", batch_size=10)
    np.testing.assert_array_equal(seen.vectors, fresh.vectors)


def test_another_encoder_look_or_content_has_another_key(tmp_path: Path, nano: ZooEncoder) -> None:
    other = Means()
    other.digest = "v2"
    shots = [_shot(tmp_path, e) for e in (Means(), other, nano)]
    shots += [_shot(tmp_path, Means(), Look(("place",))), _shot(tmp_path, Means(), Look(maps=True))]
    shots.append(_shot(tmp_path, Means(), shots=2, joined="mean"))
    assert len({s.key for s in shots}) == len(shots)
    assert _shot(tmp_path, Means()).key == shots[0].key


def test_a_difference_of_samples_is_the_last_less_the_first(tmp_path: Path) -> None:
    shot = _shot(tmp_path, Means(), shots=3, joined="difference")
    seen = freeze(shot, tmp_path)
    samples = shot.items.item(5).samples
    expected = samples[2].pixels.mean(axis=(1, 2)) - samples[0].pixels.mean(axis=(1, 2))
    np.testing.assert_allclose(seen.vectors[5], expected, rtol=1e-4)


def test_several_samples_that_nobody_joins_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="mean or difference"):
        freeze(_shot(tmp_path, Means(), shots=2), tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    one = task()
    broken = Memory(broken=("chip41.tif",))
    with pytest.raises(SceneUnreadable, match=r"chip41\.tif"):
        read_known(one, broken, Chips(broken, one.answer), tmp_path)


def test_two_processes_fill_one_folder(tmp_path: Path) -> None:
    shot = _shot(tmp_path, Means())
    whole = freeze(shot, tmp_path / "whole", batch_size=4)
    batches = [np.arange(at, at + 4) for at in range(0, 60, 4)]
    place = tmp_path / "halves"
    _begin(shot, place)
    for rank in range(2):
        _fill(shot, place, batches[rank::2])
    np.testing.assert_array_equal(open_memmap(place / "vectors.npy", "r"), whole.vectors)


def test_what_is_told_changes_what_a_model_gives(tmp_path: Path, nano: ZooEncoder) -> None:
    blind, told = (freeze(_shot(tmp_path, nano, Look(k)), tmp_path) for k in ((), FACTS))
    assert not np.allclose(blind.vectors, told.vectors, atol=1e-3)


def test_a_sample_of_another_size_is_resized_with_its_place() -> None:
    window = Window.of((30, 30), (10.0, 0.0, 5e5, 0.0, -10.0, 4e6), "EPSG:32632")
    pixels = np.full((3, 30, 30), 0.25, dtype=np.float32)
    pixels[:, :15] = np.nan
    out = of_shape(Sample(pixels, RGB, window), (32, 32))
    assert out.window.shape == (32, 32)
    np.testing.assert_allclose(out.window.center, window.center)
    assert np.isnan(out.pixels[:, :15]).all()
    np.testing.assert_allclose(out.pixels[:, 17:], 0.25, rtol=1e-6)
