"""Law 10: denormalise(normalise(x)) == x, for every set of statistics of every sensor."""

import pytest
import torch
from torch.testing import assert_close

from armillary.earth.fleet import sensors
from armillary.earth.sensors import Statistics
from armillary.sample.normal import denormalise, normalise

SETS = [(name, s) for name, sensor in sensors.items() for s in sensor.statistics]


@pytest.mark.parametrize(("name", "statistics"), SETS, ids=[f"{n}-{s.name}" for n, s in SETS])
def test_denormalise_undoes_normalise(name: str, statistics: Statistics) -> None:
    low, high = sensors[name].plausible
    shape = (2, len(statistics.mean), 4, 5)
    x = low + (high - low) * torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert_close(denormalise(normalise(x, statistics), statistics), x, atol=1e-9, rtol=1e-12)
