from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.ground import optical, radar

from armillary.errors import BadInput
from armillary.models.vit import ViTConfig, random_vit
from armillary.sample.sample import Sample
from armillary.train.cache import CachedTeacher, fill, key_of, open_cache
from armillary.train.teachers import DescriptorTeacher, ModelTeacher, Teacher

VIT = ViTConfig("dinov2", width=16, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=3)


class Asked:
    """A teacher that counts how many samples it was asked about."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, x: torch.Tensor, sample: Sample) -> torch.Tensor:
        self.count += len(x)
        return x.mean(dim=(2, 3))


def _means(asked: Asked) -> DescriptorTeacher:
    return DescriptorTeacher("means", 13, ("s2-l1c",), asked)


def _dino(seed: int = 1) -> ModelTeacher:
    return ModelTeacher("dino", random_vit(VIT, seed=seed), 16, side_px=28)


def test_a_hit_is_the_identical_array_and_asks_nobody(tmp_path: Path) -> None:
    samples = [optical(i) for i in range(3)]
    first = open_cache(_dino(), tmp_path, source="s")
    said = first(samples)
    first.flush()
    asked = Asked()
    again = open_cache(_dino(), tmp_path, source="s")
    assert torch.equal(again(samples), said)
    assert torch.equal(again(samples[::-1]), said.flip(0))
    assert (again.hits, again.misses, asked.count) == (6, 0, 0)


def test_what_is_known_is_asked_once_even_before_it_is_written(tmp_path: Path) -> None:
    asked = Asked()
    cached = open_cache(_means(asked), tmp_path, source="s")
    cached([optical(0), optical(1), optical(0)])
    cached([optical(1)])
    assert asked.count == 2
    assert isinstance(cached, Teacher)


def test_a_vector_does_not_depend_on_what_else_was_unknown(tmp_path: Path) -> None:
    together = open_cache(_dino(), tmp_path / "a", source="s")([optical(i) for i in range(3)])
    alone = torch.cat([open_cache(_dino(), tmp_path / "b", source="s")([optical(i)]) for i in range(3)])
    assert torch.equal(together, alone)


def test_another_crop_flip_band_or_sensor_is_another_key() -> None:
    sample = optical(0)
    others = [
        sample.crop(rows=slice(0, 16), cols=slice(0, 16)),
        sample.crop(rows=slice(16, 32), cols=slice(0, 16)),
        sample.flip(),
        optical(0, bands=("B02", "B03")),
        optical(1),
        radar(0),
    ]
    assert len({key_of(s) for s in (sample, *others)}) == 7
    assert key_of(optical(0)) == key_of(sample)


def test_the_cache_of_another_teacher_is_refused_and_says_so(tmp_path: Path) -> None:
    open_cache(_dino(1), tmp_path, source="s")
    with pytest.raises(BadInput, match=r"belongs to another teacher: digest is .*; give this one a folder of its own"):
        open_cache(_dino(2), tmp_path, source="s")


def test_the_cache_of_another_source_is_refused_and_says_so(tmp_path: Path) -> None:
    open_cache(_dino(), tmp_path, source="shards of May")
    with pytest.raises(BadInput, match=r"belongs to another source: source is shards of M.*, not shards of J"):
        open_cache(_dino(), tmp_path, source="shards of June")


def test_files_are_whole_or_absent_and_two_writers_do_not_meet(tmp_path: Path) -> None:
    caches = [open_cache(_means(Asked()), tmp_path, source="s") for _ in range(2)]
    for i, cached in enumerate(caches):
        cached([optical(0), optical(1 + i)])
        cached.flush()
    assert not list(tmp_path.glob(".*"))
    assert len(open_cache(_means(Asked()), tmp_path, source="s")) == 3


def test_vectors_are_mapped_into_memory_not_read(tmp_path: Path) -> None:
    cached = open_cache(_means(Asked()), tmp_path, source="s")
    cached([optical(0)])
    cached.flush()
    again = open_cache(_means(Asked()), tmp_path, source="s")
    (vector,) = again._rows.values()
    base: object = vector
    while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_a_leftover_of_a_killed_run_is_not_read(tmp_path: Path) -> None:
    open_cache(_means(Asked()), tmp_path, source="s")
    (tmp_path / ".deadbeef.npy.1.part").write_bytes(b"half")
    assert len(open_cache(_means(Asked()), tmp_path, source="s")) == 0


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    open_cache(_means(Asked()), tmp_path, source="s")
    (tmp_path / "deadbeef.npy").write_bytes(b"no vectors at all")
    with pytest.raises(BadInput, match=r"deadbeef.npy is no whole file of vectors"):
        open_cache(_means(Asked()), tmp_path, source="s")
    (tmp_path / "deadbeef.npy").unlink()
    (tmp_path / "teacher.json").write_text("{")
    with pytest.raises(BadInput, match="nobody knows whose vectors these are"):
        open_cache(_means(Asked()), tmp_path, source="s")


def test_files_are_written_as_they_fill(tmp_path: Path) -> None:
    cached = CachedTeacher(_means(Asked()), tmp_path, keep_every=2)
    cached([optical(i) for i in range(5)])
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_filling_asks_for_each_sample_the_teacher_reads_once(tmp_path: Path) -> None:
    asked = Asked()
    cached = open_cache(_means(asked), tmp_path, source="s")
    samples = [optical(0), radar(0), optical(1), optical(0)]
    assert fill(cached, samples) == 2
    assert fill(cached, samples) == 0
    assert asked.count == 2
