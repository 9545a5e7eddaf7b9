import pytest

from armillary.models.copernicus_fm import CopernicusFM, random_model
from armillary.models.sizes import CopernicusFMConfig

TINY = CopernicusFMConfig(width=32, depth=4, heads=2, taps=(0, 1, 2, 3), grid_side=4, base_px=16)


@pytest.fixture
def tiny_config() -> CopernicusFMConfig:
    """Copernicus-FM in the smallest useful size, 2.3 million parameters."""
    return TINY


@pytest.fixture
def tiny(tiny_config: CopernicusFMConfig) -> CopernicusFM:
    return random_model(tiny_config, seed=3)
