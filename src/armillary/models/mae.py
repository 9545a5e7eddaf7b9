"""Masked autoencoding around Copernicus-FM: a decoder that rebuilds hidden patches of any sensor.

As in the paper (arXiv:2503.11849, sec. 4.3), the decoder's last layer is generated from the same band codes as the
encoder's first: one synthesis kernel per band turns a decoder token into that band's pixels. Prediction and target are
laid out alike, (band, row, column), by `armillary.tokens.patch.patchify`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from types import MappingProxyType

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from armillary.earth.bands import Band, Spectral
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CODE_WIDTH, CopernicusFM
from armillary.models.visible import show
from armillary.models.weights import PACKAGED, load_state, read_tensors
from armillary.models.weights import save as save_weights
from armillary.models.zoo import load_encoder
from armillary.nn.block import BLOCK_EPS
from armillary.nn.init import initialise
from armillary.nn.trunk import Trunk, run_alike
from armillary.sample.batch import Batch
from armillary.tokens.around import fill_around
from armillary.tokens.hyper import KERNEL_SCALE, SynthesisGenerator
from armillary.tokens.mask import hidden_of, unpick
from armillary.tokens.position import Position
from armillary.tokens.resize import enlarge_kernel, resize_kernel
from armillary.tokens.stem import FINE, Unstem
from armillary.tokens.where import Where

OWN_SCALE = 0.25
"""With an unstem, synthesis kernels are multiplied by this in place of `KERNEL_SCALE`."""


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder; the defaults are the paper's.

    Args:
        width: of a decoder token.
        depth: number of blocks.
        heads: of each attention.
        base_px: side of the generated synthesis kernels.
        hidden: width of the generators' hidden layer.
        fine_width: of the fine patches a token is split into before pixels are made; None: one linear kernel.
        pseudo_inverse: resize synthesis kernels by FlexiViT's rule for analysis kernels, as upstream does, which
            multiplies amplitudes by (base_px / patch_px)^2. False enlarges them as pictures are enlarged.
        around: what is predicted is the difference from a smooth fill of seen patches (`armillary.tokens.around`).
        bias_token: the generators' unused bias, as upstream.

    Raises:
        BadInput: the width is no multiple of 4 and of `heads`, or a size is not positive.
    """

    width: int = 512
    depth: int = 8
    heads: int = 16
    base_px: int = 16
    hidden: int = 2048
    fine_width: int | None = None
    pseudo_inverse: bool = False
    around: bool = False
    bias_token: bool = False

    def __post_init__(self) -> None:
        sizes = ("width", "depth", "heads", "base_px", "hidden", "fine_width")
        small = [f"{n}={v}" for n in sizes if (v := getattr(self, n)) is not None and v < 1]
        if small:
            raise BadInput(f"the sizes of a decoder are at least 1, got {', '.join(small)}")
        if self.width % 4 or self.width % self.heads:
            raise BadInput(
                f"a decoder of width={self.width} and heads={self.heads} was asked; the width must be a multiple of 4 "
                "(sines and cosines of rows and columns) and of the heads"
            )


NANO_DECODER = DecoderConfig(width=128, depth=2, heads=4, base_px=4, hidden=512, fine_width=32, around=True)

DECODERS: Mapping[str, tuple[DecoderConfig, str]] = MappingProxyType(
    {"copernicus-fm-nano": (NANO_DECODER, f"{PACKAGED}copernicus-fm-nano-decoder.safetensors")}
)
"""Model name -> the decoder it was trained with, and where its values are."""


class Decoder(nn.Module):
    """Visible tokens to the pixels of every patch.

    Args:
        config: sizes.
        encoder_width: of the tokens that come in.
        grid_side: of the position table.
        shared_generator: one generator for light and for named bands.
        degrees_in_float32: as in the encoder.
        unknown_spoils_batch: the same.
    """

    def __init__(
        self,
        config: DecoderConfig,
        encoder_width: int,
        *,
        grid_side: int = 14,
        shared_generator: bool = False,
        degrees_in_float32: bool = False,
        unknown_spoils_batch: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.embed = nn.Linear(encoder_width, w)
        self.mask_token = nn.Parameter(torch.zeros(w))
        self.where = Where(w, degrees_in_float32=degrees_in_float32, unknown_spoils_batch=unknown_spoils_batch)
        self.position = Position(grid_side, w)
        self.trunk = Trunk(w, config.depth, config.heads)
        self.norm = nn.LayerNorm(w, eps=BLOCK_EPS)
        self.unstem = Unstem(w, config.fine_width) if config.fine_width else None
        sizes = (CODE_WIDTH, config.fine_width or w, config.base_px, config.hidden)
        self.spectral = SynthesisGenerator(*sizes, bias_token=config.bias_token)
        self.named = None if shared_generator else SynthesisGenerator(*sizes, bias_token=config.bias_token)

    def forward(
        self,
        visible: Float[Tensor, "b k d"],
        at: Int[Tensor, "b m"],
        batch: Batch,
        codes: Float[Tensor, "c z"],
        grid: tuple[int, int],
        context: Float[Tensor, "b s d"] | None = None,
    ) -> Float[Tensor, "b n p"]:
        """Pixels of every patch of a batch; see `enter` and `leave`."""
        last = self.trunk(self.enter(visible, at, batch, grid, context), ())[-1]
        return self.leave(last, batch.bands, codes, batch.patch_px, grid)

    def enter(
        self,
        visible: Float[Tensor, "b k d"],
        at: Int[Tensor, "b m"],
        batch: Batch,
        grid: tuple[int, int],
        context: Float[Tensor, "b s d"] | None = None,
    ) -> Float[Tensor, "b n w"]:
        """Decoder tokens as they enter its trunk: the extra one, every patch of the grid, then the context.

        Args:
            visible: encoder tokens, the extra one first.
            at: positions of the others on the grid.
            batch: of which they are; its pixels are not looked at.
            grid: rows and columns of tokens.
            context: encoder tokens of other sensors, which the decoder may look at.
        """
        rows, columns = grid
        tokens = self.embed(visible)
        whole = unpick(tokens[:, 1:], at, self.mask_token, rows * columns)
        assert batch.lonlat is not None and batch.days is not None and batch.token_km2 is not None  # noqa: S101, PT018
        here = self.where(batch.lonlat, batch.days, batch.token_km2)
        whole = whole + self.position.grid(rows, columns) + here[:, None]
        around = () if context is None else (self.embed(context),)
        x = torch.cat((tokens[:, :1] + here[:, None], whole, *around), dim=1)
        return x.to(tokens.dtype)

    def leave(
        self,
        last: Float[Tensor, "b n w"],
        bands: Sequence[Band],
        codes: Float[Tensor, "c z"],
        patch_px: int,
        grid: tuple[int, int],
    ) -> Float[Tensor, "b m p"]:
        """Pixels of every patch, (band, row, column) with the column fastest; p = c * patch_px^2.

        Args:
            last: of the trunk.
            bands: that are wanted, which may be others than those that were seen.
            codes: of these bands, as the encoder mixes them.
            patch_px: side of a patch.
            grid: rows and columns of patches.
        """
        rows, columns = grid
        return self._pixels(self.norm(last[:, 1 : 1 + rows * columns]), bands, codes, patch_px)

    def _pixels(
        self, x: Float[Tensor, "b n d"], bands: Sequence[Band], codes: Float[Tensor, "c z"], patch_px: int
    ) -> Float[Tensor, "b n p"]:
        light = self.named is None or all(isinstance(b, Spectral) for b in bands)
        generator = self.spectral if light else self.named
        assert generator is not None  # noqa: S101 (named is None only where light is True)
        with torch.autocast(x.device.type, enabled=False):
            kernel = generator(codes)
            fine = self.unstem is not None
            size = patch_px // FINE if fine else patch_px
            resize = resize_kernel if self.config.pseudo_inverse else enlarge_kernel
            kernel = resize(kernel, size) * (OWN_SCALE if fine else KERNEL_SCALE)
        kernel = kernel.to(x.dtype)
        if self.unstem is None:
            whole: Tensor = x @ rearrange(kernel, "d c i j -> d (c i j)")
            return whole
        pieces = self.unstem(x) @ rearrange(kernel, "f c i j -> f (c i j)").to(x.dtype)
        laid: Tensor = rearrange(pieces, "b n (p q) (c i j) -> b n (c p i q j)", p=FINE, q=FINE, i=size, j=size)
        return laid


@dataclass(frozen=True, eq=False)
class Rebuilt:
    """What the decoder made of masked pixels.

    Args:
        pixels: every patch as predicted, (band, row, column); p = c * patch_px^2.
        hidden: True where the encoder did not see the patch.
        grid: rows and columns of patches.
    """

    pixels: Float[Tensor, "b n p"]
    hidden: Bool[Tensor, "b n"]
    grid: tuple[int, int]


class MaskedAutoencoder(nn.Module):
    """Copernicus-FM and its decoder.

    Args:
        encoder: any size, with values.
        config: of the decoder.
        seed: of the decoder's first values.
    """

    def __init__(self, encoder: CopernicusFM, config: DecoderConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        own = encoder.config
        with torch.device("meta"):  # values come from `seed`, not from the global generator
            decoder = Decoder(
                config,
                own.width,
                grid_side=own.grid_side,
                shared_generator=own.shared_generator,
                degrees_in_float32=own.quirks.degrees_in_float32,
                unknown_spoils_batch=own.quirks.unknown_spoils_batch,
            )
        self.decoder = decoder.to_empty(device="cpu")
        with torch.no_grad():
            rng = torch.Generator().manual_seed(seed)
            initialise(self.decoder, rng)
            self.decoder.position.reset_parameters()
        self.decoder.position.cls_token.requires_grad_(False)

    def forward(self, batch: Batch, at: Int[Tensor, "b k"]) -> Rebuilt:
        """Rebuild each item from the patches at `at`."""
        return self.rebuild([(batch, at)])[0]

    def rebuild(self, several: Sequence[tuple[Batch, Int[Tensor, "_ _"]]]) -> list[Rebuilt]:
        """The same for several batches, of any sensors; equal lengths share a pass through the trunks."""
        shown, grids = zip(*(self.show(batch, at) for batch, at in several), strict=True)
        seen = [self.encoder.cls_norm(x) for x in run_alike(self.encoder.trunk, shown)]
        entered = [
            self.decoder.enter(x, at, batch, grid) for x, (batch, at), grid in zip(seen, several, grids, strict=True)
        ]
        out = []
        for last, (batch, at), grid in zip(run_alike(self.decoder.trunk, entered), several, grids, strict=True):
            codes = self.encoder.codes(batch.bands)
            pixels = self.decoder.leave(last, batch.bands, codes, batch.patch_px, grid)
            pixels = pixels + self.start(batch, at) if self.decoder.config.around else pixels
            out.append(Rebuilt(pixels, hidden_of(grid[0] * grid[1], at), grid))
        return out

    def show(self, batch: Batch, at: Int[Tensor, "b k"]) -> tuple[Float[Tensor, "b m d"], tuple[int, int]]:
        """Tokens of the visible patches as they enter the trunk, the extra one first, and the grid; m = k + 1."""
        return show(self.encoder, batch, at)

    def start(self, batch: Batch, at: Int[Tensor, "b k"]) -> Float[Tensor, "b n p"]:
        """What the decoder's prediction is added to: a smooth fill of the patches at `at`, 0 where there is none."""
        return fill_around(batch.pixels, at, batch.patch_px)


def load_autoencoder(
    name: str, weights: str | PathLike[str] | None = "default", decoder: str | PathLike[str] | None = "default"
) -> MaskedAutoencoder:
    """A model with the decoder it was trained with, in eval mode, on the CPU, in float32.

    Args:
        name: of the model.
        weights: of the encoder, as for `armillary.load_model`.
        decoder: "default" (what ships), None (random), or a .safetensors file that `save_decoder` wrote.

    Raises:
        BadInput: no decoder is known for this model, or the one that ships was trained with other weights.
        WeightsMissing: no such file.
        WeightsMismatch: the file is not of this decoder.

    Example:
        >>> sum(p.numel() for p in load_autoencoder("copernicus-fm-nano").decoder.parameters()) < 1_000_000
        True
    """
    if name not in DECODERS:
        raise BadInput(f"no decoder of {name} is known; there is one for {', '.join(DECODERS)}")
    if (weights == "default") != (decoder == "default"):
        raise BadInput(
            f"weights={weights!r} and decoder={decoder!r} were not trained together; give both, or neither for what "
            "ships; None is random"
        )
    encoder = load_encoder(name, weights)
    assert isinstance(encoder, CopernicusFM)  # noqa: S101 (what `DECODERS` holds)
    config, shipped = DECODERS[name]
    mae = MaskedAutoencoder(encoder, config)
    if decoder is not None:
        source = shipped if decoder == "default" else decoder
        load_state(_named(mae), read_tensors(source), source=str(source))
    return mae.eval()


def save_decoder(mae: MaskedAutoencoder, path: str | PathLike[str], facts: Mapping[str, str] | None = None) -> None:
    """Write the decoder's parameters as .safetensors, each under "decoder.", with text for the header."""
    save_weights(_named(mae), path, facts)


def _named(mae: MaskedAutoencoder) -> nn.Module:
    """The decoder under the name that its parameters begin with on file."""
    return nn.ModuleDict({"decoder": mae.decoder})
