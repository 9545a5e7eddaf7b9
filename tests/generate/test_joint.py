import pytest

from armillary.errors import BadInput
from armillary.generate.joint import JOINT, joint_of
from armillary.models.cop_gen import COP_GEN


@pytest.mark.parametrize("name", JOINT)
def test_what_strands_mean_fits_the_network(name: str) -> None:
    strands = COP_GEN[name].strands
    assert {s.name: (s.channels, s.height, s.width) for s in strands} == dict(JOINT[name].shapes)
    assert tuple(s.name for s in strands) == tuple(JOINT[name].shapes)


@pytest.mark.parametrize("name", JOINT)
def test_tokens_of_all_pictures_of_one_place_cover_the_same_ground(name: str) -> None:
    grids = {s.grid(s.height, s.width) for s in COP_GEN[name].strands if s.height > 1}
    assert grids == {(8, 8)}


def test_a_model_of_latents_has_no_values_of_its_own() -> None:
    with pytest.raises(BadInput, match="cop-gen-thumb, cop-gen-nano"):
        joint_of("cop-gen-beta")
