"""Joint models: a network together with what its strands mean and how it was noised. One table."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from armillary.errors import BadInput
from armillary.generate.denoiser import Shapes
from armillary.models.path import PIXELS, Path
from armillary.sample.known_strands import nano, thumb
from armillary.sample.strands import Code


@dataclass(frozen=True)
class Joint:
    """What must be known of a model to train it and to read what it says.

    Args:
        codes: what each strand means, in the network's order.
        path: noise schedule and prediction.
    """

    codes: tuple[Code, ...]
    path: Path = PIXELS

    @property
    def shapes(self) -> Shapes:
        """Channels, rows and columns of every strand."""
        return {code.name: code.shape for code in self.codes}


JOINT: Mapping[str, Joint] = MappingProxyType({"cop-gen-thumb": Joint(thumb(128, 2)), "cop-gen-nano": Joint(nano(64))})
"""Name of a size in `COP_GEN` that works on pixels -> what it means."""


def joint_of(name: str) -> Joint:
    """The entry of a model.

    Raises:
        BadInput: no such model, or one that works on the latents of an autoencoder.
    """
    if name not in JOINT:
        raise BadInput(f"{name!r} was asked for; models that generate values of their own are {', '.join(JOINT)}")
    return JOINT[name]
