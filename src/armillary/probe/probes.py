"""Every probe by name, with the settings that tables use."""

from collections.abc import Mapping
from types import MappingProxyType

from armillary.probe.asked import Probe
from armillary.probe.neighbours import Neighbours
from armillary.probe.regressions import LogisticProbe, RidgeProbe

PROBES: Mapping[str, Probe] = MappingProxyType(
    {
        "knn": Neighbours(),
        "logistic": LogisticProbe(),
        "ridge": RidgeProbe(),
    }
)
"""Name -> probe."""
