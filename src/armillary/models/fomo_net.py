"""FoMo-Net: one token for every patch of every band (arXiv:2312.10114, and the code published with it).

A patch of one band is standardised, embedded, and given two learned vectors: that of its band's id and that of its
place. All tokens of all bands attend to each other; there is no extra token, and an item's vector is the mean of all.
The cost of that grows with the number of bands, of attention with its square: see `FoMoConfig.grouped`.

A *grouped* model lets bands that are alike share a token: each band's patch is embedded as before, multiplied by a
learned vector of the band (without which a sum could not tell which band held what), and summed.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from armillary.earth.bands import Band
from armillary.earth.sensors import Sensor, Statistics
from armillary.errors import BadInput, OutOfRange
from armillary.models.card import Card, fomo_card
from armillary.models.fomo_sizes import BANDS, FOMO_NETS, FoMoConfig, grouped_ids, ids_of
from armillary.models.weights import fomo_names, load_state
from armillary.nn.attention import Attention
from armillary.nn.fourier import expand
from armillary.nn.init import initialise
from armillary.nn.mlp import Mlp
from armillary.sample.batch import Batch, Views
from armillary.sample.sample import Sample
from armillary.tokens.learned import EXACT, LearnedPosition
from armillary.tokens.tokens import Joint, Tokens

SHARED = "shared"
"""Name of the patch layer that all bands share."""

DECADES = (0.05, 10.0)
"""Shortest and longest wavelength in which log10 of a ground size in metres is expanded: 12 % of a size, and all."""


class PatchLayer(nn.Module):
    """A patch of one band to a token: standardised, mixed, standardised.

    Args:
        pixels: of a patch.
        width: of a token.
    """

    def __init__(self, pixels: int, width: int) -> None:
        super().__init__()
        self.pixel_norm = nn.LayerNorm(pixels)
        self.linear = nn.Linear(pixels, width)
        self.token_norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "*b p"]) -> Float[Tensor, "*b d"]:
        """Each patch on its own."""
        out: Tensor = self.token_norm(self.linear(self.pixel_norm(x)))
        return out


class FoMoBlock(nn.Module):
    """Pre-norm block without biases of queries, keys and values.

    Args:
        width: of a token.
        heads: of the attention.
        hidden: of the mlp.
    """

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads, qkv_bias=False)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, hidden)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """All tokens, one block further."""
        x = x + self.attention(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class FoMoTrunk(nn.Module):
    """Blocks in a row, and the norm that stands behind them."""

    def __init__(self, width: int, depth: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([FoMoBlock(width, heads, hidden) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Float[Tensor, "b n d"], taps: Sequence[int] = ()) -> tuple[Float[Tensor, "b n d"], ...]:
        """The outputs of the blocks in `taps`, then that of the last block; none is normed."""
        kept = []
        for i, layer in enumerate(self.layers):
            x = layer(x)
            if i in taps:
                kept.append(x)
        return (*kept, x)


class FoMoNet(nn.Module):
    """The encoder.

    Args:
        config: its shapes.
    """

    def __init__(self, config: FoMoConfig) -> None:
        super().__init__()
        self.config = config
        self.card: Card = fomo_card
        d, pixels = config.width, config.patch_px**2
        names = (SHARED,) if config.shared else tuple(map(str, range(len(BANDS))))
        with torch.device("meta"):
            self.cut = nn.ModuleDict({name: PatchLayer(pixels, d) for name in names})
            self.spectrum = nn.Parameter(torch.empty(1, len(BANDS) + 1, d))
            self.bound = nn.Parameter(torch.empty(len(BANDS), d)) if config.grouped else None
            self.place = LearnedPosition(config.grid_side, d, resampling=EXACT)
            self.ground_size = nn.Linear(d, d) if config.ground_size else None
            self.trunk = FoMoTrunk(d, config.depth, config.heads, config.hidden)
        self.working: torch.dtype | None = None
        """Precision of the trunk's products while no gradients are wanted; None: that of the weights."""

    def forward(self, batch: Batch) -> Tokens:
        """Every item on its own.

        `pooled` and `cls` are the mean of all normed tokens. `grid` and `taps` are means over bands (or groups) of each
        place, without norm.
        """
        x, (rows, columns) = self.enter(batch)
        *kept, last = self.trunk(x, self.config.taps)
        maps = tuple(rearrange(y, "b (c h w) d -> b c d h w", h=rows, w=columns).mean(dim=1) for y in (*kept, last))
        pooled = self.pool(last)
        return Tokens(pooled=pooled, cls=pooled, grid=maps[-1], taps=maps[:-1])

    def together(self, views: Views) -> Joint:
        """Several sensors of the same places in one sequence, as it is trained: no band is special.

        Raises:
            BadInput: no sensor, or batches of different lengths.
        """
        lengths = {name: len(batch) for name, batch in views.items()}
        if len(set(lengths.values())) != 1:
            raise BadInput(f"sensors of one place need batches of one length, got {lengths or 'none'}; pair them first")
        entered = {name: self.enter(batch) for name, batch in views.items()}
        last = self.trunk(torch.cat([x for x, _ in entered.values()], dim=1))[-1]
        parts = last.split([x.shape[1] for x, _ in entered.values()], dim=1)
        grids = {
            name: rearrange(part, "b (c h w) d -> b c d h w", h=h, w=w).mean(dim=1)
            for (name, (_, (h, w))), part in zip(entered.items(), parts, strict=True)
        }
        pooled = self.pool(last)
        return Joint(pooled=pooled, cls=pooled, grids=grids)

    def enter(self, batch: Batch) -> tuple[Float[Tensor, "b m d"], tuple[int, int]]:
        """Tokens as they enter the trunk, (band or group, row, column), and rows and columns of patches."""
        self._check(batch)
        p = self.config.patch_px
        rows, columns = (n // p for n in batch.pixels.shape[-2:])
        ids = ids_of(batch.bands)
        x = self._embedded(band_patches(batch.pixels, p), ids)
        x = x + self.place.grid(rows, columns) + self._sized(batch)[:, None, None]
        return rearrange(x, "b c n d -> b (c n) d"), (rows, columns)

    def units(self, bands: Sequence[Band]) -> tuple[tuple[int, ...], ...]:
        """Positions of the bands that share tokens: each alone, or group by group."""
        ids = ids_of(bands)
        return grouped_ids(ids) if self.config.grouped else tuple((i,) for i in range(len(ids)))

    def pool(self, last: Float[Tensor, "b m d"]) -> Float[Tensor, "b d"]:
        """One vector per item: the mean of all tokens of the last block, normed."""
        mean: Tensor = self.trunk.norm(last).mean(dim=1, dtype=torch.float32)
        return mean

    def batch(
        self,
        pixels: Float[Tensor, "b c h w"] | np.ndarray,
        sensor: str | Sensor,
        bands: Sequence[str] | None = None,
        *,
        lonlat: object = None,
        days: object = None,
        gsd_m: object = None,
        stats: str | Statistics | Mapping[str, Sequence[float]] | None = None,
        unit: str | Sequence[str] | None = None,
    ) -> Batch:
        """Raw numbers of a sensor, normalised by this model's statistics; see `armillary.models.card.Card.batch`."""
        return self.card.batch(
            pixels, sensor, bands, lonlat=lonlat, days=days, gsd_m=gsd_m, stats=stats, unit=unit,
            patch_px=self.config.patch_px,
        )  # fmt: skip

    def collate(self, samples: Sequence[Sample]) -> Batch:
        """Samples of one sensor and one size as this model wants them."""
        return self.card.collate(samples)

    def _embedded(self, patches: Float[Tensor, "b c n p"], ids: tuple[int, ...]) -> Float[Tensor, "b u n d"]:
        """Tokens of each band or group, which know their bands and not yet their places."""
        x: Tensor
        if self.config.shared:
            x = self.cut[SHARED](patches)
        else:
            x = torch.stack([self.cut[str(i)](patches[:, at]) for at, i in enumerate(ids)], dim=1)
        which = torch.tensor(ids, device=x.device)
        band = self.spectrum[0, which][:, None]
        if self.bound is None:
            return x + band
        x = x * self.bound[which][:, None] + band
        return torch.stack([x[:, list(at)].sum(dim=1) / math.sqrt(len(at)) for at in grouped_ids(ids)], dim=1)

    def _sized(self, batch: Batch) -> Float[Tensor, "b d"]:
        """What ground size adds to every token; 0 where it is unknown, or not asked for."""
        d = self.config.width
        if self.ground_size is None:
            return batch.pixels.new_zeros(1, d)
        assert batch.token_km2 is not None  # noqa: S101 (Batch fills it)
        metres = batch.token_km2.sqrt() * 1000 / batch.patch_px
        code = expand(torch.log10(metres), shortest=DECADES[0], longest=DECADES[1], width=d)
        known = torch.isfinite(code).all(dim=1, keepdim=True)
        return torch.where(known, self.ground_size(code.nan_to_num().to(self.ground_size.weight.dtype)), 0.0)

    def _check(self, batch: Batch) -> None:
        if not isinstance(batch, Batch):
            raise BadInput(
                f"a model takes an arm.Batch, got {type(batch).__name__}; model.batch(pixels, sensor) makes one"
            )
        (h, w), p = batch.pixels.shape[-2:], self.config.patch_px
        if h % p or w % p or batch.patch_px != p:
            raise OutOfRange(
                f"{h} x {w} pixels in patches of {batch.patch_px} px were given; this model cuts patches of {p} px and "
                f"reads multiples of that, as {max(h // p, 1) * p} x {max(w // p, 1) * p}: crop or resize, and say "
                f"patch_px={p}"
            )


def band_patches(pixels: Float[Tensor, "b c h w"], patch_px: int) -> Float[Tensor, "b c n p"]:
    """Patches of each band, row by row; pixels that are not finite are 0, the mean."""
    clean = torch.nan_to_num(pixels, nan=0.0, posinf=0.0, neginf=0.0)
    return rearrange(clean, "b c (h p) (w q) -> b c (h w) (p q)", p=patch_px, q=patch_px)


def random_fomo(config: FoMoConfig, *, seed: int = 0) -> FoMoNet:
    """An untrained model in eval mode, the same for the same seed.

    Band and place vectors are N(0, 0.02), where upstream's are N(0, 1) and drown the pixels. Vectors that bind bands
    into groups are +1 and -1; ground size adds nothing yet.
    """
    model = FoMoNet(config).to_empty(device="cpu")
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        initialise(model, rng)
        if model.bound is not None:
            model.bound.copy_(torch.randint(0, 2, model.bound.shape, generator=rng) * 2.0 - 1.0)
        if model.ground_size is not None:
            model.ground_size.weight.zero_()
    return model.eval()


def fomo_of(config: FoMoConfig, state: Mapping[str, Tensor], *, source: str) -> FoMoNet:
    """A model in eval mode with the values of a file in upstream's naming.

    What ours adds (ground size, groups) is taken from the file where it is there, and new where it is not: a released
    model with a ground size then gives what it gave without.

    Args:
        config: of the zoo.
        state: of the file, by name.
        source: what the file is called, for the refusal.

    Raises:
        WeightsMismatch: with every missing, unexpected and mis-shaped key.
    """
    names = fomo_names(state)
    model = random_fomo(config)
    if config.ground_size and "armillary.ground_size.weight" not in names:
        own = {f"armillary.{k}": v for k, v in model.state_dict().items() if k.startswith("ground_size")}
        names |= own
    load_state(model, names, source=source, remedy=_remedy(names))
    return model.eval()


def _remedy(state: Mapping[str, Tensor]) -> str:
    """Which models of the table a file may be of."""
    table = state.get("spectral_embedding")
    if table is None:
        return "a file of FoMo-Net holds spectral_embedding, this one does not"
    if table.ndim != 3:
        return f"its spectral_embedding is {tuple(table.shape)}, that of FoMo-Net (1, {len(BANDS) + 1}, width)"
    alike = [name for name, c in FOMO_NETS.items() if c.width == table.shape[-1]]
    return f"its width is {table.shape[-1]}" + (f", as {', '.join(alike)}" if alike else ", as no model of the zoo")
