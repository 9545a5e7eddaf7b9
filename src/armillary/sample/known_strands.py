"""Known strands: the tables of codes of the two joint models of this project.

Means and deviations are round numbers near the statistics of the training tiles (docs/results/generation-pairs.md);
they are part of what the weights mean, so a change asks for new weights.
"""

from armillary.sample.strands import Bands, Categories, Code, Date, Height, Place, Relief, Style

ESRI_CODES = (1, 2, 4, 5, 7, 8, 9, 10, 11)
"""Water, trees, flooded vegetation, crops, built area, bare ground, snow or ice, clouds, rangeland."""

GAMMA_DB = 1.06
"""gamma0 = sigma0 / cos(angle of incidence) on flat ground; 38.4 degrees is the middle of Sentinel-1's swath.

At its edges (30 and 46 degrees) the truth lies 0.5 dB beside it.
"""

_SAR = ("SAR",), (142.0,), (51.0,)
_OPTICAL = ("SWIR", "NIR", "RED"), (58.0, 68.0, 36.0), (35.0, 30.0, 27.0)

_COMPOSITES = {"s1-before": _SAR, "s1-after": _SAR, "s2-before": _OPTICAL, "s2-after": _OPTICAL}
"""Strand -> bands, means and deviations."""

_TEN, _TWENTY, _SIXTY = ("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12"), ("B01", "B09")


def nano(side_px: int = 64) -> tuple[Code, ...]:
    """Strands of cop-gen-nano for samples of a multiple of 4 pixels of 10 m, in the order of the model's columns.

    Bands of 20 m are at 20 m, those of 60 m at 40 m. Sigma0 of Sentinel-1 GRD stands in for gamma0 where there is no
    RTC product, shifted as if the ground were flat.
    """
    return (
        Bands(
            "s1-rtc", ("s1-rtc", "s1-grd"), ("VV", "VH"), (-11, -17.5), (4, 4.5), side_px, 1, (("s1-grd", GAMMA_DB),)
        ),
        _optical("s2-l1c-10m", _TEN, (0.15, 0.14, 0.14, 0.22), (0.1, 0.1, 0.1, 0.12), side_px, 1),
        _optical("s2-l1c-20m", _TWENTY, (0.16, 0.21, 0.24, 0.25, 0.18, 0.12), (0.11,) * 6, side_px, 2),
        _optical("s2-l1c-60m", (*_SIXTY, "B10"), (0.17, 0.06, 0.002), (0.1, 0.05, 0.003), side_px, 4),
        _optical("s2-l2a-10m", _TEN, (0.09, 0.11, 0.12, 0.27), (0.11, 0.11, 0.12, 0.14), side_px, 1),
        _optical(
            "s2-l2a-20m",
            _TWENTY,
            (0.16, 0.24, 0.27, 0.28, 0.21, 0.15),
            (0.12, 0.13, 0.13, 0.13, 0.12, 0.11),
            side_px,
            2,
        ),
        _optical("s2-l2a-60m", _SIXTY, (0.08, 0.28), (0.11, 0.14), side_px, 4),
        Relief("dem", "dem", side_px, 2),
        Height("dem-mean", "dem", side_px),
        Categories("land-cover", "land-cover", ESRI_CODES, side_px),
        Bands("water", ("water",), ("WATER",), (0.5,), (0.5,), side_px),
        Place(),
        Date(),
    )


def thumb(side_px: int = 256, step: int = 2) -> tuple[Code, ...]:
    """Strands of cop-gen-thumb for display composites of 256 x 256 pixels, `step` to a side averaged into one.

    The style of each picture comes from a reference of the same event.
    """
    return (
        *(Bands(name, (name,), *numbers, side_px, step) for name, numbers in _COMPOSITES.items()),
        Bands("flood", ("flood",), ("WATER",), (0.5,), (0.5,), side_px, step),
        *(Style(f"{name}-style", *numbers) for name, numbers in _COMPOSITES.items()),
    )


def _optical(
    name: str, bands: tuple[str, ...], mean: tuple[float, ...], deviation: tuple[float, ...], side_px: int, step: int
) -> Bands:
    return Bands(name, (name.rsplit("-", 1)[0],), bands, mean, deviation, side_px, step)
