"""The KL autoencoder of latent diffusion (arXiv:2112.10752): pictures to latents of an eighth of the side, and back.

COP-GEN-Beta diffuses latents of the one that Stable Diffusion uses, KL-f8; COP-GEN those of ten of its own, one for
each picture. The network is diffusers' `AutoencoderKL`; this file knows the names and shapes of the original layout, in
which `autoencoder_kl.pth` is published: its middle attention is made of 1 x 1 convolutions, and its way up is counted
from the finest level.

*Moments* are mean and logarithm of the variance of a latent, which is drawn from them anew whenever one is needed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import BandMismatch, OutOfRange, need
from armillary.models.weights import load_state, locate, read_tensors

LOG_VARIANCE = (-30.0, 20.0)
"""Logarithms of the variance are kept within these."""


@dataclass(frozen=True)
class KlConfig:
    """Everything that decides the shapes and the arithmetic of an autoencoder.

    Args:
        channels: of a picture.
        latent_channels: of a latent.
        scale: by which latents are multiplied, so that their deviation is about 1.
        widths: channels at each level, from the finest; a latent's side is 1 / 2^(levels - 1) of the picture's.
        blocks: residual blocks per level on the way down; one more on the way up.
        groups: of each GroupNorm.
    """

    channels: int = 3
    latent_channels: int = 4
    scale: float = 0.18215
    widths: tuple[int, ...] = (128, 256, 512, 512)
    blocks: int = 2
    groups: int = 32

    @property
    def shrink(self) -> int:
        """How many pixels of a picture's side are one of a latent's."""
        return int(2 ** (len(self.widths) - 1))


KL_F8 = KlConfig()
"""Of COP-GEN-Beta: 3 x 256 x 256 in [-1, 1] <-> 4 x 32 x 32."""


def _own(channels: int, scale: float) -> KlConfig:
    return KlConfig(channels=channels, latent_channels=8, scale=scale)


COP_GEN_KL: Mapping[str, KlConfig] = MappingProxyType(
    {
        "dem": _own(1, 0.404247),
        "land-cover": _own(10, 0.464794),
        "s1-rtc": _own(2, 0.633804),
        "s2-l1c-60m": _own(3, 0.565812),
        "s2-l1c-10m": _own(4, 0.772514),
        "s2-l1c-20m": _own(6, 0.765817),
        "cloud-mask": _own(4, 0.557045),
        "s2-l2a-60m": _own(2, 0.571367),
        "s2-l2a-10m": _own(4, 0.853416),
        "s2-l2a-20m": _own(6, 0.567267),
    }
)
"""Strand of COP-GEN -> its autoencoder (scales: its authors' configuration, arXiv:2603.03239)."""


class Autoencoder(nn.Module):
    """A KL autoencoder with random weights.

    Args:
        config: its shapes.
        seed: of the weights; the global random state is left alone.

    Raises:
        MissingExtra: diffusers is not installed.
    """

    def __init__(self, config: KlConfig = KL_F8, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        wanted = torch.get_default_device()
        with torch.device("meta"):
            self.net: Any = _network(config)
        if wanted.type != "meta":
            self.to_empty(device=wanted)
            self.reset_parameters(torch.Generator(wanted).manual_seed(seed))

    @torch.no_grad()
    def reset_parameters(self, rng: torch.Generator) -> None:
        """Norms 1 and 0, everything else uniform within 1 / sqrt(fan in), as PyTorch begins a convolution."""
        for module in self.modules():
            if isinstance(module, nn.GroupNorm):
                module.reset_parameters()
            elif isinstance(module, nn.Conv2d | nn.Linear):
                most = module.weight[0].numel() ** -0.5
                for p in module.parameters():
                    nn.init.uniform_(p, -most, most, generator=rng)

    def moments(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b _ _ _"]:
        """Mean, then logarithm of the variance, of the latent of a picture, before it is scaled.

        Args:
            x: pictures in [-1, 1]; the side is a multiple of `config.shrink`.
        """
        c, h, w = x.shape[1:]
        if c != self.config.channels:
            raise BandMismatch(
                f"this autoencoder reads {self.config.channels} channels, {c} were given; give just those"
            )
        if h % self.config.shrink or w % self.config.shrink:
            raise OutOfRange(f"{h} x {w} px were given; sides are multiples of {self.config.shrink} px: pad or crop")
        out: Tensor = self.net.quant_conv(self.net.encoder(x))
        return out

    def latent(
        self, moments: Float[Tensor, "b _ h w"], noise: Float[Tensor, "b z h w"] | None = None
    ) -> Float[Tensor, "b z h w"]:
        """Scale x (mean + deviation x noise); without noise the mean.

        Args:
            moments: as `moments` gives them.
            noise: of a standard normal distribution; randomness is the caller's.
        """
        mean, log_variance = moments.chunk(2, dim=1)
        if noise is None:
            return self.config.scale * mean
        return self.config.scale * (mean + (0.5 * log_variance.clamp(*LOG_VARIANCE)).exp() * noise)

    def decode(self, z: Float[Tensor, "b z h w"]) -> Float[Tensor, "b c _ _"]:
        """The picture of a scaled latent, about [-1, 1], not clamped."""
        if z.shape[1] != self.config.latent_channels:
            raise BandMismatch(
                f"this autoencoder's latents have {self.config.latent_channels} channels, {z.shape[1]} were given"
            )
        out: Tensor = self.net.decoder(self.net.post_quant_conv(z / self.config.scale))
        return out


def unit(x: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """From [-1, 1] to [0, 1]; what lies beyond is clamped."""
    return ((x + 1) / 2).clamp(0, 1)


def load_kl(weights: str | PathLike[str] | None, config: KlConfig = KL_F8, *, seed: int = 0) -> Autoencoder:
    """An autoencoder in eval mode, on the CPU, in float32.

    Args:
        weights: None (random), or a .pth or .safetensors file in the original layout or in diffusers'.
        config: of the file.
        seed: of random weights.

    Raises:
        WeightsMissing: no such file.
        WeightsMismatch: the file is not of this autoencoder; every difference is listed.
        MissingExtra: diffusers is not installed.
    """
    if weights is None:
        return Autoencoder(config, seed=seed).eval()
    return kl_of(config, read_tensors(locate(weights)), source=str(weights))


def kl_of(config: KlConfig, state: Mapping[str, Tensor], *, source: str) -> Autoencoder:
    """An autoencoder in eval mode with the values of a file, by name; see `load_kl`."""
    with torch.device("meta"):
        model = Autoencoder(config)
    levels = len(config.widths)
    flat = {k: v.flatten(1) if _CONVOLVED.search(k) and v.ndim == 4 else v for k, v in state.items()}
    remedy = "give autoencoder_kl.pth of latent diffusion's layout, with the configuration it was made for"
    if "encoder.down_blocks.0.resnets.0.conv1.weight" in state:
        load_state(model, flat, source=source, remedy=remedy, naming=lambda name: name.removeprefix("net."))
    else:
        load_state(model, flat, source=source, remedy=remedy, naming=lambda name: original_name(name, levels))
    return model.eval()


def original_state(model: Autoencoder) -> dict[str, Tensor]:
    """The parameters under the names, and in the shapes, of the original layout."""
    named = {original_name(k, len(model.config.widths)): v for k, v in model.state_dict().items()}
    return {k: v[:, :, None, None] if _CONVOLVED.search(k) else v for k, v in named.items()}


_CONVOLVED = re.compile(r"\.mid\.attn_1\.(q|k|v|proj_out)\.weight$")
"""Linear layers that the original layout holds as 1 x 1 convolutions."""

_ORIGINAL = (
    (r"^net\.", ""),
    (r"\.mid_block\.resnets\.0\.", ".mid.block_1."),
    (r"\.mid_block\.resnets\.1\.", ".mid.block_2."),
    (r"\.mid_block\.attentions\.0\.group_norm\.", ".mid.attn_1.norm."),
    (r"\.mid_block\.attentions\.0\.to_out\.0\.", ".mid.attn_1.proj_out."),
    (r"\.mid_block\.attentions\.0\.to_(q|k|v)\.", r".mid.attn_1.\1."),
    (r"\.down_blocks\.(\d+)\.", r".down.\1."),
    (r"\.resnets\.(\d+)\.", r".block.\1."),
    (r"\.(down|up)samplers\.0\.", r".\1sample."),
    (r"\.conv_shortcut\.", ".nin_shortcut."),
    (r"\.conv_norm_out\.", ".norm_out."),
)
"""diffusers' name -> the original one, applied in this order."""


def original_name(name: str, levels: int) -> str:
    """The name in the original layout of one of our parameters.

    Example:
        >>> original_name("net.decoder.up_blocks.0.resnets.2.conv1.weight", levels=4)
        'decoder.up.3.block.2.conv1.weight'
    """
    for ours, theirs in _ORIGINAL:
        name = re.sub(ours, theirs, name)
    return re.sub(r"\.up_blocks\.(\d+)\.", lambda found: f".up.{levels - 1 - int(found[1])}.", name)


def _network(config: KlConfig) -> nn.Module:
    levels = len(config.widths)
    network: nn.Module = need("diffusers", "generate").AutoencoderKL(
        in_channels=config.channels,
        out_channels=config.channels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        latent_channels=config.latent_channels,
        norm_num_groups=config.groups,
        scaling_factor=config.scale,
    )
    return network
