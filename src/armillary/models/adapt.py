"""Adapt: weights that were learned on red, green and blue, for another number of channels.

SoftCon goes on from DINO and DINOv2, whose first layer knows three channels. Its authors' readers report that a random
first layer, with all of the model learning, did better than inflated ones; that is not verified here, and all three
ways are offered.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput, WeightsMismatch
from armillary.models.intake import CARDS, TRUE_COLOUR
from armillary.models.resnet import RESNETS, ResNet, resnet_of
from armillary.models.vit import VITS, ViT, vit_of
from armillary.models.weights import dinov2_names, resnet_names

How = Literal["random", "repeat", "rgb_copy"]

RGB = 3

FIRST = ("patch_embed.proj.weight", "conv1.weight")
"""Names on file of the kernels that see pixels."""


def adapted_kernel(
    kernel: Float[Tensor, "d 3 k k"],
    bands: tuple[str, ...],
    how: How,
    *,
    seed: int = 0,
) -> Float[Tensor, "d c k k"]:
    """A kernel for these bands from one for red, green and blue.

    Args:
        kernel: of three channels.
        bands: of the new channels, by the house's names.
        how: "random": new, with the deviation of the old one's values, scaled for the number of channels.
            "repeat": the mean over colours for every band, times 3 / c, so that grey gives what it gave.
            "rgb_copy": B04, B03 and B02 keep their colour's, all others get the mean.
        seed: of random values.

    Raises:
        BadInput: no such way, a kernel of other than three channels, or no true colour to copy to.
    """
    if kernel.shape[1] != RGB:
        raise BadInput(f"a kernel for {RGB} colours was expected, this one has {kernel.shape[1]} channels")
    if not bands:
        raise BadInput("a kernel for no band was asked for; name the bands that it is to see")
    mean, c = kernel.mean(dim=1, keepdim=True), len(bands)
    match how:
        case "random":
            rng = torch.Generator().manual_seed(seed)
            new = torch.randn((kernel.shape[0], c, *kernel.shape[2:]), generator=rng)
            return new.mul(kernel.float().std()).mul((RGB / c) ** 0.5)
        case "repeat":
            return mean.expand(-1, c, -1, -1).mul(RGB / c)
        case "rgb_copy":
            absent = [b for b in TRUE_COLOUR if b not in bands]
            if absent:
                raise BadInput(
                    f"colours were to be copied to {', '.join(bands)}, where {', '.join(absent)} is missing; adapt by "
                    "repeat or random"
                )
            out = mean.expand(-1, c, -1, -1).clone()
            for i, band in enumerate(TRUE_COLOUR):
                out[:, bands.index(band)] = kernel[:, i]
            return out
        case _:
            raise BadInput(f"how={how!r} was asked; it is 'random', 'repeat' or 'rgb_copy'")


def adapted(
    name: str, state: Mapping[str, Tensor], how: How, *, seed: int = 0, source: str = "the file"
) -> ViT | ResNet:
    """A model of the zoo in eval mode, from the weights of one of the same size for red, green and blue.

    Args:
        name: of a ViT or a ResNet of the zoo.
        state: of the file, as `armillary.models.weights.read_tensors` gives it.
        how: as for `adapted_kernel`.
        seed: of random values.
        source: what the file is called, for the refusal.

    Raises:
        BadInput: the zoo has no such ViT or ResNet.
        WeightsMismatch: the file is not of this size.
    """
    if name not in VITS and name not in RESNETS:
        raise BadInput(f"{name} has no first layer to adapt; these have: {', '.join((*VITS, *RESNETS))}")
    names = dinov2_names(state) if name in VITS else resnet_names(state)
    card = CARDS[(VITS[name] if name in VITS else RESNETS[name]).card]
    bands = next(iter(card.entries.values())).bands
    key = next((k for k in FIRST if k in names), None)
    if key is None:
        raise WeightsMismatch(f"{source} holds no {' or '.join(FIRST)}; give a state dict of DINO or DINOv2")
    if names[key].ndim != 4:
        raise WeightsMismatch(
            f"{source} holds {key} of shape {tuple(names[key].shape)}, no kernel [out, in, row, column]; give a "
            "state dict of DINO or DINOv2"
        )
    names[key] = adapted_kernel(names[key], bands, how, seed=seed)
    if name in RESNETS:
        return resnet_of(RESNETS[name], names, source=source)
    return vit_of(VITS[name], names, source=source)
