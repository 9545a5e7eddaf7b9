"""The sizes of the joint diffusion model: one table of numbers, for released files and for the project's own.

COP-GEN-Beta (arXiv:2504.08548) diffuses latents of four thumbnails; COP-GEN (arXiv:2603.03239) ten pictures, in latents
of an autoencoder each, besides place and date. On file, strands have no names but numbers, in the order of this table;
COP-GEN's is the alphabetical order of its authors' names (`AUTHORS_NAMES`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from armillary.errors import BadInput, OutOfRange
from armillary.models.path import PIXELS, Path
from armillary.models.strand import Strand
from armillary.sample.known_strands import nano, thumb
from armillary.sample.strands import Code


@dataclass(frozen=True)
class CopGenConfig:
    """Everything that decides the shapes and the arithmetic of a joint diffusion model.

    Args:
        strands: inputs and outputs, in the order of their times and of their parameters on file.
        width: of a token; even.
        depth: number of blocks without the middle one.
        heads: of each attention.
        mlp_time: a learned layer per strand stands behind the waves of its time. Released files have none.
        ratio: width of the hidden layers, in widths of a token.
        exact: attention in float32 whatever the precision of the rest, as the released code asks; slower.

    The following are the project's own; files that have them fit no released model.

    Args:
        any_side: pictures may have other sides than the strands say; the position table is stretched over them.
        pre_norm: norms stand before the layers in place of behind the sums.
        ground: channels of the path of pixels beside the transformer (`models.ground`); 0: none, as released.
        field: of which path of noise the Gaussian field is (`models.field`) that answers what covariances tell, so
            that the rest learns what is left; None: there is none, as released.
    """

    strands: tuple[Strand, ...]
    width: int
    depth: int
    heads: int
    mlp_time: bool = False
    ratio: int = 4
    exact: bool = False
    any_side: bool = False
    pre_norm: bool = False
    ground: int = 0
    field: Path | None = None

    def __post_init__(self) -> None:
        names = self.names
        if not names or len(set(names)) < len(names):
            raise BadInput(f"strands {', '.join(names) or '(none)'} were given; give at least one, each name once")
        if self.width < 2 or self.width % 2 or self.heads < 1 or self.width % self.heads:
            raise OutOfRange(
                f"a width of {self.width} cannot be split into waves and {self.heads} heads; give an even multiple of "
                "the heads"
            )
        if self.depth < 0 or self.ratio < 1 or self.ground < 0:
            raise OutOfRange(f"depth {self.depth}, ratio {self.ratio}, ground {self.ground}; give 0, 1 and 0 or more")

    @property
    def names(self) -> tuple[str, ...]:
        """The strands' names, in their order."""
        return tuple(s.name for s in self.strands)

    @property
    def tokens(self) -> int:
        """Length of a sequence: one token per strand's time, then the patches of each."""
        return len(self.strands) + sum(s.tokens for s in self.strands)


def _latents(*names: str) -> tuple[Strand, ...]:
    """Pictures of 256 px as latents of KL-f8."""
    return tuple(Strand(name, channels=4, height=32, width=32, patch=2) for name in names)


AUTHORS_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "place": "3d_cartesian_lat_lon",
        "dem": "DEM_DEM",
        "land-cover": "LULC_LULC",
        "s1-rtc": "S1RTC_vh_vv",
        "s2-l1c-60m": "S2L1C_B01_B09_B10",
        "s2-l1c-10m": "S2L1C_B02_B03_B04_B08",
        "s2-l1c-20m": "S2L1C_B05_B06_B07_B11_B12_B8A",
        "cloud-mask": "S2L1C_cloud_mask",
        "s2-l2a-60m": "S2L2A_B01_B09",
        "s2-l2a-10m": "S2L2A_B02_B03_B04_B08",
        "s2-l2a-20m": "S2L2A_B05_B06_B07_B11_B12_B8A",
        "date": "mean_timestamps",
    }
)
"""Strand of COP-GEN -> what its authors call it."""

_LATENT_PX: Mapping[str, int] = MappingProxyType(
    {
        "dem": 8,
        "land-cover": 24,
        "s1-rtc": 24,
        "s2-l1c-60m": 4,
        "s2-l1c-10m": 24,
        "s2-l1c-20m": 12,
        "cloud-mask": 24,
        "s2-l2a-60m": 4,
        "s2-l2a-10m": 24,
        "s2-l2a-20m": 12,
    }
)
"""Strand of COP-GEN -> side of its latent, an eighth of its picture's."""


def numbers(name: str, count: int = 3) -> Strand:
    """A strand of a few numbers, each a token of its own."""
    return Strand(name, channels=1, height=1, width=count, patch=1)


def _cop_gen() -> tuple[Strand, ...]:
    sides = ((name, _LATENT_PX.get(name)) for name in AUTHORS_NAMES)
    return tuple(numbers(n) if px is None else Strand(n, channels=8, height=px, width=px, patch=2) for n, px in sides)


def strands_of(codes: Sequence[Code], patch: int) -> tuple[Strand, ...]:
    """Strands of the shapes that codes give.

    Args:
        codes: what the strands mean, in the model's order.
        patch: side of a token of the strands with most pixels; tokens of coarser ones cover twice as much ground to a
            side, for their detail is on the path of pixels.
    """
    finest = max(code.shape[1] for code in codes)
    sides = ((code, min(patch, max(1, 2 * patch * code.shape[1] // finest))) for code in codes)
    return tuple(Strand(code.name, *code.shape, patch=p if code.shape[1] > 1 else 1) for code, p in sides)


def _own(codes: Sequence[Code]) -> CopGenConfig:
    return CopGenConfig(
        strands_of(codes, 8), width=160, depth=6, heads=5, any_side=True, pre_norm=True, ground=48, field=PIXELS
    )


_BASE = CopGenConfig(_cop_gen(), width=1024, depth=20, heads=16)

COP_GEN: Mapping[str, CopGenConfig] = MappingProxyType(
    {
        "cop-gen-beta": CopGenConfig(_latents("dem", "s1-rtc", "s2-l1c", "s2-l2a"), width=1024, depth=20, heads=16),
        "cop-gen-base": _BASE,
        "cop-gen-large": replace(_BASE, width=1152, depth=28),
        "cop-gen-huge": replace(_BASE, width=1536, depth=30, heads=24),
        "cop-gen-thumb": replace(_own(thumb(128, 2)), ratio=3),
        "cop-gen-nano": _own(nano(64)),
    }
)
"""Model name -> the configuration that builds it."""
