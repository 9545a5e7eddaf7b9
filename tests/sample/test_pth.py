import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.sample.synthetic import pretrain as made

from armillary.sample.pth import load, read, shape_of
from armillary.scene.pretrain.catalogue import KEYS, Catalogue, scan


def catalogue_of(path: Path, tensor: torch.Tensor, **how) -> tuple[Catalogue, np.void]:
    content = made.members(made.grid())
    content["0772176.s2_toa.pth"] = made.saved(tensor, **how)
    found = scan([made.write(path, content)])
    return found, found.entries[found.entries["layer"] == KEYS.index("s2_toa")][0]


TENSOR = torch.arange(2 * 4 * 13 * 5 * 6).to(torch.int16).reshape(2, 4, 13, 5, 6)
UNUSUAL = {
    "the format before zip": (TENSOR, {"_use_new_zipfile_serialization": False}),
    "strided": (TENSOR.transpose(3, 4), {}),
    "part of a larger storage": (TENSOR[1:], {}),
    "as a parameter": (torch.nn.Parameter(TENSOR.float()), {}),
    "double": (TENSOR.double(), {}),
    "half": (TENSOR.half(), {}),
    "bfloat16": (TENSOR.to(torch.bfloat16), {}),
}


def test_a_slice_equals_the_slice_of_the_tensor_loaded_whole(tmp_path):
    found, entry = catalogue_of(tmp_path / "a.tar", TENSOR)
    assert entry["data"] > 0
    for at in ((), (1,), (0, 2), (1, 3, 7), (1, 3, 12, 4, 5)):
        assert np.array_equal(read(found, entry, at), load(found, entry).numpy()[at])
    assert shape_of(found, entry) == (2, 4, 13, 5, 6)


@pytest.mark.parametrize("name", [n for n in UNUSUAL if n != "bfloat16"])
def test_an_unusual_tensor_gives_the_same_numbers(tmp_path, name):
    tensor, how = UNUSUAL[name]
    found, entry = catalogue_of(tmp_path / "a.tar", tensor, **how)
    assert np.array_equal(read(found, entry, (0, 2)), tensor[0, 2].detach().numpy())
    assert shape_of(found, entry) == tuple(tensor.shape)


def test_a_compressed_member_gives_the_same_numbers(tmp_path):
    content, packed = made.members(made.grid()), io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(made.saved(TENSOR))) as plain,
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in plain.infolist():
            archive.writestr(entry.filename, plain.read(entry), zipfile.ZIP_DEFLATED)
    content["0772176.s2_toa.pth"] = packed.getvalue()
    found = scan([made.write(tmp_path / "a.tar", content)])
    entry = found.entries[found.entries["layer"] == KEYS.index("s2_toa")][0]
    assert entry["data"] == -1
    assert np.array_equal(read(found, entry, (1, 2)), TENSOR[1, 2].numpy())


def test_two_tensors_with_equal_descriptions_keep_their_own_numbers(tmp_path):
    first, second = made.grid(), made.grid(made.NEXT, seed=9)
    found = scan([made.shard(tmp_path / "a.tar", first, second)])
    for place, grid in enumerate((first, second)):
        entry = found.of(place)[-1]
        assert np.array_equal(read(found, entry), made.numbers(grid, "dem"))


def test_every_layer_of_a_grid_is_read_exactly(tmp_path):
    grid = made.grid()
    found = scan([made.shard(tmp_path / "a.tar", grid)])
    for entry in found.of(0):
        assert np.array_equal(read(found, entry), made.numbers(grid, KEYS[entry["layer"]]))
