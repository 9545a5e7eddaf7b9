"""Copernicus-FM: one encoder for every Sentinel sensor (arXiv:2503.11849).

A plain ViT whose patch kernel is generated from what the bands are, with place, area and time added to every token.
One Batch is one sensor; tokens of several sensors are never mixed.

The *compatible* configuration computes what the released weights were trained with, mistakes included; `Quirks` names
each mistake. Two consequences that no switch can undo: VV and VH of Sentinel-1 share one descriptor, so their kernels
are identical and only their sum is seen; gas columns enter unscaled, so NO2 and SO2 are close to zero at the input.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from armillary.earth.bands import VECTOR_LENGTH, Band, Named, Spectral
from armillary.earth.sensors import Sensor, Statistics
from armillary.errors import BadInput, BandMismatch, OutOfRange, VectorMissing
from armillary.models.card import Card, copernicus_fm_card, nano_card
from armillary.models.language import SENTENCE_LENGTH, sentence_vector
from armillary.models.sizes import CopernicusFMConfig
from armillary.nn.block import BLOCK_EPS
from armillary.nn.init import initialise
from armillary.nn.recall import Recall
from armillary.nn.trunk import Trunk
from armillary.sample.batch import Batch, Views
from armillary.tokens.bandcode import BANDWIDTH_NM, POLARISATIONS, polarisation_rows, spectral_code
from armillary.tokens.hyper import KERNEL_SCALE, KernelGenerator
from armillary.tokens.patch import embed_patches
from armillary.tokens.position import Position
from armillary.tokens.resize import resize_kernel
from armillary.tokens.stem import FINE, SPAN, Stem, fine_steps
from armillary.tokens.tokens import Joint, Tokens
from armillary.tokens.where import AREA_KM2, DEGREES, Where

CODE_WIDTH = 128
KERNELS_KEPT = 32
"""How many generated kernels are remembered; 13 bands of 16 px at width 768 are 10 MB."""

FINE_GAIN = 50.0
"""With a stem, kernels are divided by bands x side, so that sums over more bands or larger kernels keep their size."""

KERNEL_STD = 0.2
"""Standard deviation of a random generator's last layer: with it, tokens of standardised noise have a size near 1."""

SENTENCE_STD = 0.7
"""The same for the projection of sentence vectors (length 1): codes then have the size of a spectral code."""


class CopernicusFM(nn.Module):
    """The encoder.

    Parameters hold no values yet after construction; `random_model` or `armillary.load_model` gives them some.

    Args:
        config: sizes and quirks.
        vectors: official language vectors, text -> float[2048].
    """

    def __init__(self, config: CopernicusFMConfig, vectors: Mapping[str, Float[Tensor, " d"]] | None = None) -> None:
        super().__init__()
        self.config = config
        self.card: Card = nano_card if config.own_card else copernicus_fm_card
        self.vectors = dict(vectors or {})
        d, quirks = config.width, config.quirks
        with torch.device("meta"):
            kernel_width = config.fine_width or d
            sizes = (CODE_WIDTH, kernel_width, config.base_px, config.generator_hidden)
            self.spectral = KernelGenerator(*sizes)
            self.named = None if config.shared_generator else KernelGenerator(*sizes)
            self.language = None if config.shared_generator else nn.Linear(VECTOR_LENGTH, CODE_WIDTH)
            self.polarisation = nn.Embedding(len(POLARISATIONS) + 1, CODE_WIDTH) if config.polarised else None
            self.stem = Stem(config.fine_width, d) if config.fine_width else None
            self.sentence = nn.Linear(SENTENCE_LENGTH, CODE_WIDTH) if config.sentence_route else None
            self.where = Where(
                d,
                degrees_in_float32=quirks.degrees_in_float32,
                unknown_spoils_batch=quirks.unknown_spoils_batch,
            )
            self.position = Position(config.grid_side, d)
            self.trunk = Trunk(d, config.depth, config.heads)
            self.pooled_norm = nn.LayerNorm(d, eps=BLOCK_EPS, elementwise_affine=config.pooled_affine)
            self.cls_norm = nn.LayerNorm(d, eps=BLOCK_EPS, elementwise_affine=config.cls_affine)
        self.kernels_kept: Recall[tuple[Tensor, Tensor]] = Recall(KERNELS_KEPT)
        self.working: torch.dtype | None = None
        """Precision of the convolution while no gradients are wanted; None: that of the weights. See `precision`."""

    def forward(self, batch: Batch) -> Tokens:
        """Every item on its own; pixels and weights must be on one device."""
        if not isinstance(batch, Batch):
            raise BadInput(
                f"a model takes an arm.Batch, got {type(batch).__name__}; model.batch(pixels, sensor) makes one"
            )
        x, (rows, columns) = self.enter(batch)
        *kept, last = self.trunk(x, self.config.taps)
        maps = tuple(y[:, 1:].unflatten(1, (rows, columns)).permute(0, 3, 1, 2) for y in (*kept, last))
        return Tokens(
            pooled=self.pool(last),
            cls=_final_norm(last[:, 0], self.cls_norm),
            grid=maps[-1],
            taps=maps[:-1],
        )

    def pool(self, last: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
        """One vector per item: the mean over patches of the last block (the extra token stands first), normed."""
        return _final_norm(last[:, 1:].mean(dim=1, dtype=torch.float32), self.pooled_norm)

    def together(self, views: Views) -> Joint:
        """Several sensors of the same places in one sequence: every token attends to those of all sensors.

        The paper draws this, and its code encodes one sensor at a time; only weights that were trained so
        (`armillary.train.together`) know what to do with it. The control is late fusion: the mean of the sensors'
        pooled vectors.

        Args:
            views: sensor -> Batch; item i of each is the same place.

        Raises:
            BadInput: no sensor, or batches of different lengths.
        """
        lengths = {name: len(batch) for name, batch in views.items()}
        if len(set(lengths.values())) != 1:
            raise BadInput(f"sensors of one place need batches of one length, got {lengths or 'none'}; pair them first")
        entered = {name: self.enter(batch) for name, batch in views.items()}
        sizes = [x.shape[1] for x, _ in entered.values()]
        parts = self.trunk(torch.cat([x for x, _ in entered.values()], dim=1), ())[-1].split(sizes, dim=1)
        patches = torch.cat([part[:, 1:] for part in parts], dim=1)
        return Joint(
            pooled=_final_norm(patches.mean(dim=1, dtype=torch.float32), self.pooled_norm),
            cls=_final_norm(torch.stack([part[:, 0].float() for part in parts]).mean(dim=0), self.cls_norm),
            grids={
                name: part[:, 1:].unflatten(1, grid).permute(0, 3, 1, 2)
                for part, (name, (_, grid)) in zip(parts, entered.items(), strict=True)
            },
        )

    def enter(self, batch: Batch) -> tuple[Float[Tensor, "b n d"], tuple[int, int]]:
        """Tokens as they enter the trunk, the extra one first, and the rows and columns of their grid."""
        lonlat, days, token_km2 = batch.lonlat, batch.days, batch.token_km2
        assert lonlat is not None and days is not None and token_km2 is not None  # noqa: S101, PT018 (Batch fills them)
        if self.config.quirks.refuse_edges:
            _refuse_edges(batch.bands, lonlat, token_km2)
        grid = self.embed_patches(batch)
        x = self.position(grid, self.where(lonlat, days, token_km2)).to(grid.dtype)
        return x, (grid.shape[-2], grid.shape[-1])

    def embed_patches(self, batch: Batch) -> Float[Tensor, "b d h w"]:
        """Patches through the generated kernel and the stem, before position, place, area and time."""
        kernel, bias = self.kernel(batch.bands, self.kernel_px(batch.patch_px))
        pixels = torch.nan_to_num(batch.pixels.to(kernel.dtype), nan=0.0, posinf=0.0, neginf=0.0)
        if self.stem is None:
            return embed_patches(pixels, kernel, bias, padding_px=self.config.quirks.padding_px)
        p = batch.patch_px
        rows, columns = (n // p * p for n in pixels.shape[-2:])
        out: Tensor = self.stem(fine_steps(pixels[..., :rows, :columns], kernel, bias))
        return out

    def kernel(
        self, bands: Sequence[Band], patch_px: int
    ) -> tuple[Float[Tensor, "d c {patch_px} {patch_px}"], Float[Tensor, " d"]]:
        """The kernel and bias of these bands in this order, ready for the convolution.

        Remembered per bands, size, dtype and device while the weights stay the same, unless gradients are wanted.
        """
        bands = tuple(bands)
        dtype = self._working_dtype()
        generator, project = self._branch(bands)
        sources = (generator, project, self.polarisation)
        parameters = [p for source in sources if source is not None for p in source.parameters()]
        if self.training or (torch.is_grad_enabled() and any(p.requires_grad for p in parameters)):
            return self._generate(bands, patch_px, dtype)
        key = (bands, patch_px, dtype, generator.bias_token.device)
        return self.kernels_kept.get(key, parameters, lambda: self._generate(bands, patch_px, dtype))

    def kernel_px(self, patch_px: int) -> int:
        """Side of the generated kernel for patches of this side.

        Raises:
            OutOfRange: a stem cannot cut such patches into whole fine ones.
        """
        if self.stem is None:
            return patch_px
        if patch_px % FINE:
            below = patch_px // FINE * FINE
            near = f"{below} or {below + FINE}" if below else f"{FINE}, the smallest"
            raise OutOfRange(
                f"patches of {patch_px} px were asked, and this model cuts each into {FINE} x {FINE} fine ones, so "
                f"their side is a multiple of {FINE} px; take {near}, or a size without a stem: copernicus-fm-small"
            )
        return SPAN * (patch_px // FINE)

    def codes(self, bands: Sequence[Band]) -> Float[Tensor, "c d"]:
        """What the generator makes of each band on its own; a decoder generates its kernels from the same codes."""
        generator, project = self._branch(tuple(bands))
        mixed: Tensor = generator.mix(self._code(tuple(bands), project))
        return mixed

    def batch(  # noqa: PLR0913 (the public contract)
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
        patch_px: int | None = None,
    ) -> Batch:
        """Raw values of a sensor as this model wants them; see `armillary.models.card.Card.batch`."""
        return self.card.batch(
            pixels, sensor, bands, lonlat=lonlat, days=days, gsd_m=gsd_m, stats=stats, unit=unit, patch_px=patch_px
        )

    def _working_dtype(self) -> torch.dtype:
        """Type of the convolution and of what enters the trunk: the trunk's own, or what autocast wants."""
        weight = next(self.trunk.parameters())
        if torch.is_autocast_enabled(weight.device.type):
            return torch.get_autocast_dtype(weight.device.type)
        return weight.dtype

    def _branch(self, bands: tuple[Band, ...]) -> tuple[KernelGenerator, nn.Linear | None]:
        """The generator for these bands and, for named ones, the projection of their vectors."""
        named = [b for b in bands if isinstance(b, Named)]
        if not named:
            return self.spectral, None
        if len(named) < len(bands):
            raise BandMismatch(
                f"a batch holds bands of one kind, got {len(named)} named and {len(bands) - len(named)} spectral; "
                "make one batch of each"
            )
        if self.named is None:
            return self.spectral, self.sentence
        official = [b for b in named if b.vector is not None or b.text in self.vectors]
        if len(official) == len(named):
            return self.named, self.language
        if self.sentence is None:
            missing = ", ".join(repr(b.text) for b in named if b not in official)
            raise VectorMissing(
                f"no language vector is known for {missing}; load the model with vectors=FILE (the official "
                "varname_embed_llama3.2_1B.pt), give arm.Named(text, vector=...), or load it with sentence_route=True "
                "to use the project's own text projection, which the official weights have never seen"
            )
        if official:
            raise BandMismatch(
                "some bands have an official language vector and some have none; the two never share a projection: "
                "give a vector for each, or for none"
            )
        return self.named, self.sentence

    def _code(self, bands: tuple[Band, ...], project: nn.Linear | None) -> Float[Tensor, "c d"]:
        weight = self.spectral.bias_token if project is None else project.weight
        if project is None:
            spectral = [b for b in bands if isinstance(b, Spectral)]
            z = spectral_code(spectral, CODE_WIDTH).to(weight)
            if self.polarisation is None:
                return z
            rows = torch.tensor(polarisation_rows(spectral), device=weight.device)
            told: Tensor = z + self.polarisation(rows)
            return told
        named = [b for b in bands if isinstance(b, Named)]
        if project is self.sentence:
            vectors = torch.stack([sentence_vector(b.text) for b in named])
        else:
            vectors = torch.stack([self._vector(b) for b in named])
        code: Tensor = project(vectors.to(weight))
        return code

    def _vector(self, band: Named) -> Float[Tensor, " d"]:
        return self.vectors[band.text] if band.vector is None else torch.tensor(band.vector, dtype=torch.float32)

    def _generate(self, bands: tuple[Band, ...], patch_px: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        generator, project = self._branch(bands)
        with torch.autocast(generator.bias_token.device.type, enabled=False):
            kernel, bias = generator(self._code(bands, project))
            kernel = resize_kernel(kernel, patch_px)
        if self.stem is not None:  # sums over more or larger patches of more bands keep their size
            kernel = kernel * (FINE_GAIN / (len(bands) * patch_px))
        return (kernel * KERNEL_SCALE).to(dtype), (bias * KERNEL_SCALE).to(dtype)


def random_model(
    config: CopernicusFMConfig, *, seed: int = 0, vectors: Mapping[str, Float[Tensor, " d"]] | None = None
) -> CopernicusFM:
    """An untrained model in eval mode, the same for the same seed; the global random state is left alone."""
    model = CopernicusFM(config, vectors).to_empty(device="cpu")
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        initialise(model, rng)
        model.position.reset_parameters()
        for generator in (model.spectral, model.named):
            if generator is not None:
                nn.init.normal_(generator.to_kernel.weight, std=KERNEL_STD, generator=rng)
        if model.sentence is not None:
            model.sentence.load_state_dict(random_sentence_projection(seed))
    return model.eval()


def random_sentence_projection(seed: int) -> dict[str, Tensor]:
    """Weight and bias of an untrained projection of sentence vectors."""
    rng = torch.Generator().manual_seed(seed)
    weight = torch.randn(CODE_WIDTH, SENTENCE_LENGTH, generator=rng) * SENTENCE_STD
    return {"weight": weight, "bias": torch.zeros(CODE_WIDTH)}


def _final_norm(x: Float[Tensor, "b d"], norm: nn.LayerNorm) -> Float[Tensor, "b d"]:
    """The LayerNorm behind the trunk, in float32 whatever the trunk's type."""
    weight, bias = (None if p is None else p.float() for p in (norm.weight, norm.bias))
    return layer_norm(x.float(), norm.normalized_shape, weight, bias, norm.eps)


def _refuse_edges(bands: Sequence[Band], lonlat: Float[Tensor, "b 2"], token_km2: Float[Tensor, " b"]) -> None:
    """What upstream asserts."""
    degrees = lonlat.float() + torch.tensor([180.0, 90.0], device=lonlat.device)
    widths = torch.tensor([b.width_nm for b in bands if isinstance(b, Spectral)])
    for what, x, (low, _) in (
        ("degrees east of -180 or north of -90", degrees, DEGREES),
        ("km2 per token", token_km2, AREA_KM2),
        ("nm of band width", widths, BANDWIDTH_NM),
    ):
        at_edge = (x.abs() < low) & (x != 0)
        if bool(at_edge.any()):
            raise OutOfRange(
                f"{float(x[at_edge][0]):g} {what} is under {low:g}, which upstream refuses; "
                "load the model with quirks=Quirks(refuse_edges=False) to compute it"
            )
