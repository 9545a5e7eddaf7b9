"""Every probe by name, with the settings that tables use."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from armillary.probe.asked import Probe, Tuner
from armillary.probe.dense import OFFICIAL_WIDTH, DenseProbe
from armillary.probe.linear_head import LinearProbe
from armillary.probe.neighbours import Neighbours
from armillary.probe.regressions import LogisticProbe, RidgeProbe
from armillary.probe.tune import Tune

LORA_RANK = 8

PROBES: Mapping[str, Probe | Tuner] = MappingProxyType(
    {
        "knn": Neighbours(),
        "logistic": LogisticProbe(),
        "ridge": RidgeProbe(),
        "linear": LinearProbe(),
        "conv": DenseProbe("conv"),
        "upernet": DenseProbe("upernet"),
        "finetune": Tune("finetune"),
        "lora": Tune("lora", LORA_RANK),
    }
)
"""Name -> probe. A `Probe` reads cached features, a `Tuner` trains the model."""


def as_published(probe: Probe | Tuner, lr: float, batch: int) -> Probe | Tuner:
    """The same probe with the published protocol's one learning rate, batch and width; others stay as they are."""
    match probe:
        case LinearProbe():
            return replace(probe, rates=(lr,), batch=batch)
        case DenseProbe(name="upernet"):
            return replace(probe, rates=(lr,), batch=batch, width=OFFICIAL_WIDTH)
        case DenseProbe():
            return replace(probe, rates=(lr,), batch=batch)
        case _:
            return probe


def in_epochs(probe: Probe | Tuner, epochs: int) -> Probe | Tuner:
    """The same probe with so many passes over the training items; probes that make none stay as they are."""
    if isinstance(probe, LinearProbe | DenseProbe | Tune):
        return replace(probe, epochs=epochs)
    return probe
