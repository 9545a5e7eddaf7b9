"""FoMo-Net: its bands by number, how they are grouped, and its sizes (arXiv:2312.10114 and the code published with it).

A band is known by its *id*, 0 to 36. House bands have theirs by what they are; a band of a sensor that the fleet lacks
is named as upstream names it: `arm.Named("landsat-nir")`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from armillary.earth.bands import Band, Named
from armillary.earth.fleet import sensors
from armillary.errors import BadInput, BandMismatch

BANDS = (
    *(f"planet-{c}" for c in ("r", "g", "b", "nir")),
    *(f"sentinel-1-{p}" for p in ("vv", "vh")),
    *(f"sentinel-2-b{n}" for n in ("1", "2", "3", "4", "5", "6", "7", "8", "8a", "9", "10", "11", "12")),
    *(f"landsat-{c}" for c in ("r", "g", "b", "nir", "swir-1", "swir-2", "panchromatic", "aerosol", "cirrus")),
    *(f"aerial-{c}" for c in ("r", "g", "b", "nir")),
    "dem",
    *(f"gaofen2-{c}" for c in ("r", "g", "b", "nir")),
)
"""Name of each id, as upstream's configuration has them."""

GROUPS: tuple[tuple[int, ...], ...] = (
    (0, 1, 2, 3),
    (4, 5),
    (7, 8, 9, 13),  # Sentinel-2 at 10 m
    (10, 11, 12, 14),  # red edge
    (6, 15, 16),  # 60 m: aerosol, water vapour, cirrus
    (17, 18),  # short-wave infrared
    (19, 20, 21, 22),
    (23, 24),
    (25,),
    (26, 27),
    (28, 29, 30, 31),
    (32,),
    (33, 34, 35, 36),
)
"""Ids that share tokens in a grouped model: bands of one sensor that are alike in wavelength and ground size."""


def _ids() -> Mapping[Band, int]:
    radar = dict(zip(sensors["s1-grd"].bands, (4, 5), strict=True))
    optical = {band: 6 + i for i, band in enumerate(sensors["s2-l1c"].bands)}
    named: dict[Band, int] = {Named(name): i for i, name in enumerate(BANDS)}
    return MappingProxyType({**named, **radar, **optical, sensors["dem"].bands[0]: BANDS.index("dem")})


IDS = _ids()
"""Band -> id. Level 2A has the ids of level 1C, as upstream."""


def ids_of(bands: Sequence[Band]) -> tuple[int, ...]:
    """The id of each band.

    Raises:
        BandMismatch: a band without one, or two bands of one id.

    Example:
        >>> ids_of(sensors["s1-grd"].bands)
        (4, 5)
    """
    unknown = [b for b in bands if b not in IDS]
    if unknown:
        raise BandMismatch(
            f"FoMo-Net knows no band {unknown[0]}; it has ids for Sentinel-1, Sentinel-2, DEM and Named bands called "
            f"{BANDS[0]}, ... {BANDS[-1]}: leave the band out"
        )
    found = tuple(IDS[b] for b in bands)
    if len(set(found)) < len(found):
        twice = BANDS[next(i for i in found if found.count(i) > 1)]
        raise BandMismatch(f"{twice} was given twice; FoMo-Net tells bands apart by their ids: give each once")
    return found


@dataclass(frozen=True)
class FoMoConfig:
    """Everything that decides the shapes and the arithmetic.

    Args:
        width: of a token.
        depth: number of blocks.
        heads: of each attention; upstream's are 64 wide.
        hidden: width of the hidden layer of a block's mlp.
        taps: the four blocks, counted from 0, whose outputs are kept.
        image_px: side of the pictures it is trained on, which decides the position table.
        patch_px: side of a patch.
        shared: one patch layer for all bands (FoMo-Net_1), or one each (FoMo-Net_m).
        grouped: bands of a group share one token per place, in place of one each; ours.
        ground_size: whether tokens know how large a pixel is on the ground; ours, upstream has nothing of the kind.

    Raises:
        BadInput: sizes that do not divide each other.
    """

    width: int
    depth: int
    heads: int
    hidden: int
    taps: tuple[int, int, int, int]
    image_px: int = 64
    patch_px: int = 16
    shared: bool = True
    grouped: bool = False
    ground_size: bool = False

    def __post_init__(self) -> None:
        if self.width % self.heads or self.image_px % self.patch_px or self.width % 2:
            raise BadInput(
                f"width={self.width} with heads={self.heads}, image_px={self.image_px} with patch_px={self.patch_px}: "
                "the width must be even and a multiple of the heads, the picture one of the patch"
            )

    @property
    def grid_side(self) -> int:
        """Rows and columns of the position table."""
        return self.image_px // self.patch_px


_RELEASED = FoMoConfig(width=768, depth=12, heads=12, hidden=2048, taps=(3, 5, 7, 11))
_NANO = FoMoConfig(width=192, depth=6, heads=3, hidden=512, taps=(1, 2, 3, 5))

FOMO_NETS: Mapping[str, FoMoConfig] = MappingProxyType(
    {
        "fomo-net-1": _RELEASED,
        "fomo-net-m": replace(_RELEASED, shared=False),
        "fomo-net-grouped": replace(_RELEASED, grouped=True),
        "fomo-net-1-paper": FoMoConfig(1024, 12, 16, 2048, (3, 5, 7, 11), image_px=128),
        "fomo-net-nano": _NANO,
        "fomo-net-nano-m": replace(_NANO, shared=False),
        "fomo-net-nano-grouped": replace(_NANO, grouped=True, ground_size=True),
    }
)
"""Model name -> the configuration that builds it. "fomo-net-1" is the released one, "-paper" what its paper trains."""


def grouped_ids(ids: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Positions of the bands of each group that is there, in the order of `GROUPS`.

    Example:
        >>> grouped_ids((4, 32, 5))
        ((0, 2), (1,))
    """
    found = (tuple(i for i, one in enumerate(ids) if one in group) for group in GROUPS)
    return tuple(at for at in found if at)
