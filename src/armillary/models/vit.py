"""A plain ViT in DINOv2's layout (arXiv:2304.07193), and SoftCon, which goes on from it (arXiv:2405.20462).

Fixed channels, patches of 14 px, learned position, LayerScale, LayerNorm with eps 1e-6. It knows neither place nor
time nor area: those of a Batch are ignored. It serves as a frozen teacher and as an encoder to compare with.

What reads where: `armillary.models.intake` says which bands of which sensor become the channels, and how.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isqrt
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor, nn

from armillary.errors import OutOfRange
from armillary.models.channels import FixedChannels
from armillary.models.weights import dinov2_names, load_state
from armillary.nn.block import BLOCK_EPS, ScaledBlock
from armillary.nn.init import initialise
from armillary.nn.trunk import Trunk
from armillary.sample.batch import Batch
from armillary.tokens.learned import EXACT, REFERENCE, LearnedPosition, Resampling
from armillary.tokens.patch import embed_patches
from armillary.tokens.tokens import Tokens

LAYER_SCALE = 1e-5
"""What the LayerScale of an untrained model begins with (DINOv2's pretraining; SoftCon says so of its own)."""


@dataclass(frozen=True)
class ViTConfig:
    """Everything that decides the shapes and the arithmetic.

    Args:
        card: name in `armillary.models.intake.CARDS` of what the channels are.
        width: of a token.
        depth: number of blocks.
        heads: of each attention.
        taps: the four blocks, counted from 0, whose outputs are kept.
        channels: bands that enter.
        grid_side: rows and columns of the position table; a weight file's own counts.
        registers: tokens without a place.
        patch_px: side of a patch in pixels.
        resampling: how the position table is resized.
    """

    card: str
    width: int
    depth: int
    heads: int
    taps: tuple[int, int, int, int]
    channels: int = 3
    grid_side: int = 37
    registers: int = 0
    patch_px: int = 14
    resampling: Resampling = REFERENCE


_TWELVE = (3, 5, 7, 11)
_SMALL = ViTConfig("dinov2", width=384, depth=12, heads=6, taps=_TWELVE)
_BASE = ViTConfig("dinov2", width=768, depth=12, heads=12, taps=_TWELVE)
_LARGE = ViTConfig("dinov2", width=1024, depth=24, heads=16, taps=(7, 11, 15, 23))

VITS: Mapping[str, ViTConfig] = MappingProxyType(
    {
        "dinov2-small": _SMALL,
        "dinov2-base": _BASE,
        "dinov2-large": _LARGE,
        "dinov2-small-registers": replace(_SMALL, registers=4, resampling=EXACT),
        "dinov2-base-registers": replace(_BASE, registers=4, resampling=EXACT),
        "dinov2-large-registers": replace(_LARGE, registers=4, resampling=EXACT),
        "softcon-small-s2": replace(_SMALL, card="softcon-s2", channels=13, grid_side=16),
        "softcon-base-s2": replace(_BASE, card="softcon-s2", channels=13, grid_side=16),
        "softcon-small-s1": replace(_SMALL, card="softcon-s1", channels=2, grid_side=16),
        "softcon-base-s1": replace(_BASE, card="softcon-s1", channels=2, grid_side=16),
        "softcon-small-s2-zscores": replace(_SMALL, card="softcon-s2-zscores", channels=13, grid_side=16),
        "softcon-base-s2-zscores": replace(_BASE, card="softcon-s2-zscores", channels=13, grid_side=16),
        "softcon-small-s1-zscores": replace(_SMALL, card="softcon-s1-zscores", channels=2, grid_side=16),
        "softcon-base-s1-zscores": replace(_BASE, card="softcon-s1-zscores", channels=2, grid_side=16),
    }
)
"""Model name -> the configuration that builds it. Those called "-zscores" read what TorchGeo feeds the same weights."""


class PatchKernel(nn.Module):
    """One learned kernel over all channels.

    Args:
        channels: bands that enter.
        width: of a token.
        patch_px: side of the kernel.
    """

    def __init__(self, channels: int, width: int, patch_px: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(width, channels, patch_px, patch_px))
        self.bias = nn.Parameter(torch.empty(width))

    def forward(self, pixels: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d rows columns"]:
        """One token per patch; pixels that are not finite are read as 0."""
        clean = torch.nan_to_num(pixels.to(self.kernel.dtype), nan=0.0, posinf=0.0, neginf=0.0)
        return embed_patches(clean, self.kernel, self.bias, padding_px=0)


class ViT(FixedChannels):
    """A vision transformer for fixed channels.

    Args:
        config: its shapes.
    """

    config: ViTConfig

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        d = config.width
        with torch.device("meta"):
            self.patch = PatchKernel(config.channels, d, config.patch_px)
            self.position = LearnedPosition(
                config.grid_side, d, registers=config.registers, resampling=config.resampling
            )
            self.trunk = Trunk(d, config.depth, config.heads, block=ScaledBlock)
            self.final_norm = nn.LayerNorm(d, eps=BLOCK_EPS)
        self.working: torch.dtype | None = None
        """Precision of the trunk's products while no gradients are wanted; None: that of the weights. See `precision`.
        The patch kernel stays in float32: it is a small part of the work."""

    def forward(self, batch: Batch) -> Tokens:
        """Every item on its own.

        `pooled` is the mean of the normed patches and `cls` the normed extra token, both as DINOv2 returns them;
        `grid` and `taps` are without norm, as for every model: see `normed`.
        """
        self._check(batch)
        grid = self.patch(batch.pixels)
        rows, columns = grid.shape[-2:]
        *kept, last = self.trunk(self.position(grid), self.config.taps)
        before = 1 + self.config.registers
        maps = tuple(y[:, before:].unflatten(1, (rows, columns)).permute(0, 3, 1, 2) for y in (*kept, last))
        normed = self.final_norm(last)
        return Tokens(
            pooled=normed[:, before:].mean(dim=1, dtype=torch.float32), cls=normed[:, 0], grid=maps[-1], taps=maps[:-1]
        )

    def normed(self, grid: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """A map of patches through the final LayerNorm, as DINOv2 returns its patch tokens."""
        out: Tensor = self.final_norm(grid.permute(0, 2, 3, 1))
        return out.permute(0, 3, 1, 2)

    def _check(self, batch: Batch) -> None:
        self.check_channels(batch)
        (h, w), p = batch.pixels.shape[-2:], self.config.patch_px
        if h % p or w % p or batch.patch_px != p:
            raise OutOfRange(
                f"{h} x {w} pixels in patches of {batch.patch_px} px were given; this model cuts patches of {p} px and "
                f"reads multiples of that, as {max(h // p, 1) * p} x {max(w // p, 1) * p}: crop or resize, and say "
                f"patch_px={p}"
            )


def random_vit(config: ViTConfig, *, seed: int = 0) -> ViT:
    """An untrained model in eval mode, the same for the same seed; the global random state is left alone."""
    model = ViT(config).to_empty(device="cpu")
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        initialise(model, rng)
        kernel = model.patch.kernel
        nn.init.normal_(kernel, std=kernel[0].numel() ** -0.5, generator=rng)
        model.patch.bias.zero_()
        for block in model.trunk.blocks:
            assert isinstance(block, ScaledBlock)  # noqa: S101 (made above)
            block.scale1.fill_(LAYER_SCALE)
            block.scale2.fill_(LAYER_SCALE)
    return model.eval()


def vit_of(config: ViTConfig, state: Mapping[str, Tensor], *, source: str) -> ViT:
    """A model in eval mode with the values of a file in DINOv2's or timm's naming.

    The side of the position table is the file's own.

    Args:
        config: of the zoo.
        state: of the file, by name.
        source: what the file is called, for the refusal.

    Raises:
        WeightsMismatch: with every missing, unexpected and mis-shaped key, and the model that the file seems to be of.
    """
    names = dinov2_names(state)
    table = names.get("pos_embed")
    side = isqrt(table.shape[1] - 1) if table is not None and table.ndim == 3 and table.shape[1] > 1 else 0
    fits = table is not None and side > 0 and side**2 + 1 == table.shape[1]
    model = ViT(replace(config, grid_side=side) if fits else config)
    load_state(model, names, source=source, remedy=_remedy(names))
    return model.eval()


def _remedy(state: Mapping[str, Tensor]) -> str:
    """Which model of the table a file seems to be of."""
    kernel, registers = state.get("patch_embed.proj.weight"), state.get("register_tokens")
    if kernel is None or kernel.ndim != 4:
        return "a file in DINOv2's layout holds patch_embed.proj.weight, this one does not"
    n = 0 if registers is None else registers.shape[1]
    depth = len({k.split(".")[1] for k in state if k.startswith("blocks.")})
    alike = [
        name for name, c in VITS.items() if (c.width, c.channels, c.registers, c.depth) == (*kernel.shape[:2], n, depth)
    ]
    what = f"{kernel.shape[1]} channels, width {kernel.shape[0]}, {depth} blocks and {n} registers"
    return f"it has {what}, " + (f"as {', '.join(alike)}" if alike else "as no model of the zoo")
