import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.train.ground import TOP, optical
from torch.nn.functional import avg_pool2d
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.models.descriptors import band_statistics
from armillary.models.intake import CARDS
from armillary.models.vit import ViT, ViTConfig, random_vit
from armillary.train.teachers import (
    INDEX_MAPS,
    DescriptorTeacher,
    MapTeacher,
    ModelTeacher,
    Teacher,
    cell_means,
    indices,
    stacked,
)

CONFIG = ViTConfig("dinov2", width=16, depth=2, heads=2, taps=(0, 0, 1, 1), grid_side=3)


@pytest.fixture
def vit() -> ViT:
    return random_vit(CONFIG, seed=1)


def test_a_models_vectors_are_those_of_its_forward_pass_and_carry_no_gradient(vit: ViT) -> None:
    samples = [optical(i, side_px=28) for i in range(2)]
    with torch.no_grad():
        tokens = vit(vit.collate(samples))
    pooled, cls = (ModelTeacher("t", vit, 16, vector=v)(samples) for v in ("pooled", "cls"))
    assert torch.equal(pooled, tokens.pooled)
    assert torch.equal(cls, tokens.cls)
    assert not pooled.requires_grad


def test_samples_of_any_size_are_resized_to_the_side_that_the_teacher_wants(vit: ViT) -> None:
    teacher = ModelTeacher("t", vit, 16, side_px=28)
    flat = optical(0, side_px=33)
    flat = replace(flat, pixels=np.full_like(flat.pixels, 0.2))
    small = optical(0, side_px=28)
    small = replace(small, pixels=np.full_like(small.pixels, 0.2))
    assert_close(teacher([flat]), teacher([small]), atol=1e-5, rtol=1e-5)


def test_a_teacher_in_training_mode_is_refused(vit: ViT) -> None:
    with pytest.raises(BadInput, match=r"call model\.eval"):
        ModelTeacher("t", vit.train(), 16)


def test_a_copy_shares_the_teacher(vit: ViT) -> None:
    teacher = ModelTeacher("t", vit, 16)
    assert copy.deepcopy(teacher) is teacher


def test_the_digest_changes_with_weights_card_vector_and_size_and_with_nothing_else(vit: ViT) -> None:
    first = ModelTeacher("t", vit, 16)
    others = [
        ModelTeacher("t", random_vit(CONFIG, seed=2), 16),
        ModelTeacher("t", vit, 16, card=CARDS["dinov2-zscores"]),
        ModelTeacher("t", vit, 16, vector="cls"),
        ModelTeacher("t", vit, 16, side_px=28),
    ]
    assert ModelTeacher("another name", random_vit(CONFIG, seed=1), 16).digest == first.digest
    assert len({t.digest for t in (first, *others)}) == 5


def test_all_kinds_keep_their_promises(vit: ViT) -> None:
    assert isinstance(ModelTeacher("t", vit, 16), Teacher)
    assert isinstance(DescriptorTeacher("s", 52, ("s2-l1c",), lambda x, _: band_statistics(x)), Teacher)
    assert isinstance(INDEX_MAPS, MapTeacher)
    assert not isinstance(ModelTeacher("t", vit, 16), MapTeacher)


def test_a_descriptor_teaches_what_its_function_says() -> None:
    teacher = DescriptorTeacher("statistics", 52, ("s2-l1c",), lambda x, _: band_statistics(x))
    samples = [optical(i) for i in range(3)]
    assert torch.equal(teacher(samples), band_statistics(stacked(samples)))


def test_indices_are_their_definition() -> None:
    sample = optical(0)
    x = torch.from_numpy(sample.pixels)[None]
    b = dict(zip(TOP.band_names, x[0], strict=True))
    expected = [
        (b[p] - b[q]) / (b[p] + b[q]) for p, q in (("B08", "B04"), ("B03", "B08"), ("B11", "B08"), ("B03", "B11"))
    ]
    assert_close(indices(x, sample)[0], torch.stack([*expected, (b["B02"] + b["B03"] + b["B04"]) / 3]))


def test_an_index_whose_band_is_absent_is_unknown_and_the_others_are_not() -> None:
    sample = optical(0, bands=("B02", "B03", "B04", "B08"))
    maps = indices(torch.from_numpy(sample.pixels)[None], sample)
    assert torch.isnan(maps[0, [2, 3]]).all()
    assert torch.isfinite(maps[0, [0, 1, 4]]).all()


def test_an_index_of_a_sum_that_is_not_above_0_is_unknown() -> None:
    sample = optical(0)
    sample.pixels[:, 0, 0] = -0.01
    maps = indices(torch.from_numpy(sample.pixels)[None], sample)
    assert torch.isnan(maps[0, :4, 0, 0]).all()
    assert float(maps[0, :4].nan_to_num().abs().max()) <= 1


def test_cells_are_means_of_their_measured_pixels() -> None:
    x = torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(0))
    assert_close(cell_means(x, 2, 3), avg_pool2d(x, 4))
    x[0, 0, :4, :4] = torch.nan
    x[0, 0, 0, 0] = 5.0
    x[0, 1, :4, :4] = torch.nan
    means = cell_means(x, 2, 3)
    assert float(means[0, 0, 0, 0]) == 5.0
    assert torch.isnan(means[0, 1, 0, 0])
    assert int(torch.isnan(means).sum()) == 1


def test_index_maps_fit_any_grid() -> None:
    maps = INDEX_MAPS.on_grid([optical(0), optical(1)], 4, 2)
    assert maps.shape == (2, INDEX_MAPS.layers, 4, 2)
    assert torch.isfinite(maps).all()


def test_samples_of_two_sizes_are_not_one_batch() -> None:
    with pytest.raises(BadInput, match="one sensor, bands and size"):
        stacked([optical(0), optical(1, side_px=16)])
