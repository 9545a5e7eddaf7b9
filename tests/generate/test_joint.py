import pytest

from armillary.errors import BadInput
from armillary.generate.joint import JOINT, joint_of
from armillary.models.cop_gen import COP_GEN, CopGen


@pytest.mark.parametrize("name", JOINT)
def test_what_strands_mean_fits_the_network(name: str) -> None:
    strands = COP_GEN[name].strands
    assert {s.name: (s.channels, s.height, s.width) for s in strands} == dict(JOINT[name].shapes)
    assert tuple(s.name for s in strands) == tuple(JOINT[name].shapes)


def test_tokens_of_coarser_pictures_cover_twice_as_much_ground() -> None:
    grids = {s.name: s.grid(s.height, s.width) for s in COP_GEN["cop-gen-nano"].strands if s.height > 1}
    assert {grids[n] for n in ("s1-rtc", "s2-l1c-10m", "s2-l2a-10m", "land-cover", "water")} == {(8, 8)}
    assert {g for n, g in grids.items() if n.endswith(("20m", "60m")) or n == "dem"} == {(4, 4)}


def test_the_models_that_ship_fit_into_twelve_mebibytes() -> None:
    values = sum(p.numel() for name in JOINT for p in CopGen(COP_GEN[name], seed=0).parameters())
    assert 2 * values < 11.9 * 2**20  # bfloat16, and some room for headers


def test_a_model_of_latents_has_no_values_of_its_own() -> None:
    with pytest.raises(BadInput, match="cop-gen-thumb, cop-gen-nano"):
        joint_of("cop-gen-beta")
