"""Masked autoencoding around FoMo-Net: bands rebuild each other (arXiv:2312.10114, sec. 4).

Three quarters of all tokens of all bands are hidden, together and at random; the decoder sees the others, its own
vectors of bands and places, and one learned token in place of each hidden one. It answers with the normalised pixels of
every patch of every band.
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from armillary.errors import BadInput
from armillary.models.fomo_net import SHARED, FoMoNet, FoMoTrunk, band_patches
from armillary.models.fomo_sizes import BANDS, ids_of
from armillary.models.mae import Rebuilt
from armillary.nn.init import initialise
from armillary.sample.batch import Batch
from armillary.tokens.learned import EXACT, LearnedPosition
from armillary.tokens.mask import hidden_of, pick, unpick

RATIO = 4
"""Width of the hidden layer of the decoder's mlp, in widths of a token."""


@dataclass(frozen=True)
class FoMoDecoderConfig:
    """Sizes of the decoder; the defaults are the paper's, but for heads: upstream's 16 of 64 are wider than a token.

    Args:
        width: of a decoder token.
        depth: number of blocks.
        heads: of each attention.

    Raises:
        BadInput: the width is no multiple of the heads.
    """

    width: int = 512
    depth: int = 8
    heads: int = 8

    def __post_init__(self) -> None:
        if min(self.width, self.depth, self.heads) < 1 or self.width % self.heads:
            raise BadInput(
                f"a decoder of width={self.width}, depth={self.depth} and heads={self.heads} was asked; give sizes of "
                "at least 1, and a width that is a multiple of the heads"
            )


class FoMoDecoder(nn.Module):
    """Visible tokens to the pixels of every patch of every band.

    Args:
        config: sizes.
        encoder: whose tokens come in.
    """

    def __init__(self, config: FoMoDecoderConfig, encoder: FoMoNet) -> None:
        super().__init__()
        own, w = encoder.config, config.width
        self.embed = nn.Linear(own.width, w)
        self.mask_token = nn.Parameter(torch.empty(w))
        self.place = LearnedPosition(own.grid_side, w, resampling=EXACT)
        self.spectrum = nn.Parameter(torch.empty(len(BANDS), w))
        self.bound = nn.Parameter(torch.empty(len(BANDS), w)) if own.grouped else None
        self.trunk = FoMoTrunk(w, config.depth, config.heads, RATIO * w)
        names = (SHARED,) if own.shared else tuple(map(str, range(len(BANDS))))
        self.to_pixels = nn.ModuleDict({name: nn.Linear(w, own.patch_px**2) for name in names})

    def forward(
        self,
        visible: Float[Tensor, "b k d"],
        at: Int[Tensor, "b k"],
        ids: tuple[int, ...],
        units: tuple[tuple[int, ...], ...],
        grid: tuple[int, int],
    ) -> Float[Tensor, "b c n p"]:
        """Pixels of every patch.

        Args:
            visible: encoder tokens, normed.
            at: their positions among (unit, row, column).
            ids: of the bands.
            units: positions of the bands that share tokens.
            grid: rows and columns of patches.
        """
        rows, columns = grid
        n = rows * columns
        tokens = self.embed(visible)
        whole = rearrange(unpick(tokens, at, self.mask_token, len(units) * n), "b (u n) d -> b u n d", n=n)
        which = torch.tensor(ids, device=visible.device)
        band = self.spectrum[which]
        told = torch.stack([band[list(u)].sum(dim=0) / len(u) ** 0.5 for u in units])
        x = whole + self.place.grid(rows, columns) + told[:, None]
        last = self.trunk.norm(self.trunk(rearrange(x, "b u n d -> b (u n) d"))[-1])
        return self._pixels(rearrange(last, "b (u n) d -> b u n d", n=n), ids, units)

    def _pixels(
        self, x: Float[Tensor, "b u n d"], ids: tuple[int, ...], units: tuple[tuple[int, ...], ...]
    ) -> Float[Tensor, "b c n p"]:
        unit_of = {band: u for u, bands in enumerate(units) for band in bands}
        x = x[:, [unit_of[i] for i in range(len(ids))]]
        if self.bound is not None:
            which = torch.tensor(ids, device=x.device)
            x = x * self.bound[which][:, None] + self.spectrum[which][:, None]
        if SHARED in self.to_pixels:
            out: Tensor = self.to_pixels[SHARED](x)
            return out
        return torch.stack([self.to_pixels[str(i)](x[:, at]) for at, i in enumerate(ids)], dim=1)


class FoMoAutoencoder(nn.Module):
    """FoMo-Net and its decoder.

    Args:
        encoder: any size, with values.
        config: of the decoder.
        seed: of the decoder's first values.
    """

    def __init__(self, encoder: FoMoNet, config: FoMoDecoderConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        with torch.device("meta"):  # values come from `seed`, not from the global generator
            decoder = FoMoDecoder(config, encoder)
        self.decoder = decoder.to_empty(device="cpu")
        with torch.no_grad():
            rng = torch.Generator().manual_seed(seed)
            initialise(self.decoder, rng)
            if self.decoder.bound is not None:
                self.decoder.bound.copy_(torch.randint(0, 2, self.decoder.bound.shape, generator=rng) * 2.0 - 1.0)
        for idle in (encoder.place, self.decoder.place):  # there is no extra token
            idle.cls_token.requires_grad_(False)

    def tokens_of(self, batch: Batch) -> int:
        """How many tokens of all bands a batch's items have."""
        p = self.encoder.config.patch_px
        h, w = batch.pixels.shape[-2:]
        return len(self.encoder.units(batch.bands)) * (h // p) * (w // p)

    def forward(self, batch: Batch, at: Int[Tensor, "b k"]) -> Rebuilt:
        """Rebuild each item from the tokens at `at`, counted over (band or group, row, column).

        The patches of the answer are those of all bands, (band, row, column), each with its own p = patch_px^2 pixels.
        """
        x, grid = self.encoder.enter(batch)
        n = grid[0] * grid[1]
        units = self.encoder.units(batch.bands)
        seen = self.encoder.trunk.norm(self.encoder.trunk(pick(x, at))[-1])
        pixels = self.decoder(seen, at, ids_of(batch.bands), units, grid)
        hidden = rearrange(hidden_of(len(units) * n, at), "b (u n) -> b u n", n=n)
        unit_of = {band: u for u, bands in enumerate(units) for band in bands}
        of_bands = hidden[:, [unit_of[i] for i in range(len(batch.bands))]]
        return Rebuilt(rearrange(pixels, "b c n p -> b (c n) p"), of_bands.flatten(1), grid)


def targets_of(batch: Batch, patch_px: int) -> tuple[Float[Tensor, "b m p"], Float[Tensor, "b m p"]]:
    """Normalised pixels of every patch of every band, as they are, and 1 where they were measured."""
    known = torch.isfinite(batch.pixels).to(batch.pixels.dtype)
    return tuple(rearrange(band_patches(x, patch_px), "b c n p -> b (c n) p") for x in (batch.pixels, known))  # type: ignore[return-value]
