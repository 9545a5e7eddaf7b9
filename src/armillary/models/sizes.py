"""Sizes of Copernicus-FM, and the known mistakes of the published code as switches."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from armillary.tokens.hyper import HIDDEN


@dataclass(frozen=True)
class Quirks:
    """The known mistakes of the published code; the defaults are what the released weights need.

    Args:
        padding_px: zeros around the pixels before patches are cut. Upstream pads 1, which shifts the patch grid by one
            pixel up and left and hides the last row and column. 0 is right.
        degrees_in_float32: add 180 and 90 to longitude and latitude in float32, which rounds to 3e-5 degrees while the
            shortest wavelength is 1e-4. False adds in float64 and keeps what the coordinates hold.
        unknown_spoils_batch: one unknown fact of one item makes it unknown for all. Upstream does; no weights need it,
            so it is off here, and each item equals its own single-item result.
        refuse_edges: refuse what upstream refuses by AssertionError: longitudes within 1e-4 degrees east of -180,
            latitudes within 1e-4 north of -90, tokens under 0.001 km2 (but not 0), widths under 1 nm (but not 0).
            Off here: the same formula is computed.
    """

    padding_px: int = 1
    degrees_in_float32: bool = True
    unknown_spoils_batch: bool = False
    refuse_edges: bool = False


COMPATIBLE = Quirks()
CORRECT = Quirks(padding_px=0, degrees_in_float32=False)
"""What a model that is trained here computes."""


@dataclass(frozen=True)
class CopernicusFMConfig:
    """Everything that decides the shapes and the arithmetic.

    Args:
        width: of a token.
        depth: number of blocks.
        heads: of each attention.
        taps: the four blocks, counted from 0, whose outputs are kept.
        grid_side: rows and columns of the position table.
        base_px: side of the generated kernels.
        sentence_route: whether named bands without an official vector pass through the project's own projection.
        shared_generator: one kernel generator for light and for named bands, and no road for official vectors.
        generator_hidden: width of the generators' hidden layer.
        polarised: whether polarisations of one wavelength are told apart. Upstream's VV and VH share every kernel.
        fine_width: of the fine steps of a stem (`armillary.tokens.stem`); None: one linear kernel per patch, as
            upstream.
        own_card: the project's own statistics per sensor in place of upstream's.
        pooled_affine: whether the LayerNorm of the pooled vector has weights; released files have none.
        cls_affine: the same for the LayerNorm of the extra token.
        quirks: which upstream mistakes are kept.
    """

    width: int
    depth: int
    heads: int
    taps: tuple[int, int, int, int]
    grid_side: int = 14
    base_px: int = 16
    sentence_route: bool = False
    shared_generator: bool = False
    generator_hidden: int = HIDDEN
    polarised: bool = False
    fine_width: int | None = None
    own_card: bool = False
    pooled_affine: bool = False
    cls_affine: bool = False
    quirks: Quirks = COMPATIBLE


def cleaned(config: CopernicusFMConfig) -> CopernicusFMConfig:
    """The same size with every known mistake of upstream set right, for pretraining anew; no released file fits it."""
    return replace(config, quirks=CORRECT, polarised=True, own_card=True, sentence_route=True)


def as_pretrained(config: CopernicusFMConfig) -> CopernicusFMConfig:
    """The same size as upstream's pretraining code runs it: one missing fact spoils a batch, and the last norm learns.

    Named bands pass through the project's own projection, as the licence of upstream's vectors keeps them out.
    """
    quirks = replace(config.quirks, unknown_spoils_batch=True)
    return replace(config, quirks=quirks, cls_affine=True, sentence_route=True)


_BASE = CopernicusFMConfig(width=768, depth=12, heads=12, taps=(3, 5, 7, 11))

SIZES: Mapping[str, CopernicusFMConfig] = {
    "copernicus-fm-nano": CopernicusFMConfig(
        width=256,
        depth=6,
        heads=4,
        taps=(1, 2, 3, 5),
        base_px=8,
        sentence_route=True,
        shared_generator=True,
        generator_hidden=512,
        polarised=True,
        fine_width=48,
        own_card=True,
        quirks=CORRECT,
    ),
    "copernicus-fm-small": CopernicusFMConfig(width=384, depth=12, heads=6, taps=(3, 5, 7, 11)),
    "copernicus-fm-base": _BASE,
    "copernicus-fm-base-clean": cleaned(_BASE),
    "copernicus-fm-large": CopernicusFMConfig(width=1024, depth=24, heads=16, taps=(7, 11, 15, 23)),
    "copernicus-fm-huge": CopernicusFMConfig(width=1280, depth=32, heads=16, taps=(7, 15, 23, 31), grid_side=16),
}
