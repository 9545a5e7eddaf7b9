import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.train.ground import optical, radar

from armillary.errors import BadInput, OutputRefused
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


def _kept(folder: Path) -> Path:
    """The one file of a cache that holds two vectors."""
    cached = open_cache(_means(Asked()), folder, source="s")
    cached([optical(0), optical(1)])
    cached.flush()
    (path,) = folder.glob("*.npy")
    return path


def test_vectors_without_an_owner_are_taken_over_by_nobody(tmp_path: Path) -> None:
    _kept(tmp_path)
    (tmp_path / "teacher.json").unlink()
    with pytest.raises(BadInput, match=r"holds vectors but no teacher\.json.*give this teacher a folder of its own"):
        open_cache(_means(Asked()), tmp_path, source="s")
    assert not (tmp_path / "teacher.json").exists()


def test_a_file_whose_vectors_were_changed_is_refused(tmp_path: Path) -> None:
    path = _kept(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadInput, match=rf"{path.name} should be named after its rows, .* delete it"):
        open_cache(_means(Asked()), tmp_path, source="s")


def test_a_file_under_another_name_is_refused(tmp_path: Path) -> None:
    path = _kept(tmp_path)
    path.rename(tmp_path / "mine.npy")
    with pytest.raises(BadInput, match=rf"mine\.npy should be named after its rows, whose hash is {path.stem}"):
        open_cache(_means(Asked()), tmp_path, source="s")


def test_an_archive_named_as_vectors_is_refused(tmp_path: Path) -> None:
    path = _kept(tmp_path)
    with path.open("wb") as file:
        np.savez(file, rows=np.zeros(3))
    with pytest.raises(BadInput, match="holds an archive, not rows of a key and a vector of 13; delete it"):
        open_cache(_means(Asked()), tmp_path, source="s")


@pytest.mark.parametrize("facts", ["[]", "null", "3", '"dino"'])
def test_facts_that_are_no_facts_are_refused(tmp_path: Path, facts: str) -> None:
    (tmp_path / "teacher.json").write_text(facts)
    with pytest.raises(BadInput, match="not the facts about a teacher, so that nobody knows whose vectors these are"):
        open_cache(_means(Asked()), tmp_path, source="s")


def test_a_file_where_the_folder_should_be_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    path.write_text("mine")
    with pytest.raises(OutputRefused, match="which is a file; give another folder"):
        open_cache(_means(Asked()), path, source="s")
    with pytest.raises(OutputRefused, match=r"cannot be written \(Not a directory\); give another folder"):
        open_cache(_means(Asked()), path / "deeper", source="s")
    assert path.read_text() == "mine"


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = open_cache(_means(Asked()), tmp_path / "a", source="s")
    cached([optical(0)])

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        patch.setattr(Path, "write_text", refuse)
        with pytest.raises(OutputRefused, match=r"cannot be written \(Permission denied\); give another folder"):
            open_cache(_means(Asked()), tmp_path / "b", source="s")
        with pytest.raises(OutputRefused, match=r"1 vectors of means .* cannot be written \(Permission denied\)"):
            cached.flush()


def test_a_folder_that_is_gone_is_one_sentence_and_loses_nothing(tmp_path: Path) -> None:
    cached = open_cache(_means(Asked()), tmp_path / "a", source="s")
    cached([optical(0), optical(1)])
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(OutputRefused, match=r"2 vectors of means .* is gone since it was opened; mend that"):
        cached.flush()
    (tmp_path / "a").mkdir()
    cached.flush()
    assert len(list((tmp_path / "a").glob("*.npy"))) == 1
