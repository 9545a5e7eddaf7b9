"""Write what `arm.open` makes of real files into docs/status.md: each fact marked read, given, assumed or unknown.

    python bench/real_data_table.py FOLDER docs/status.md

FOLDER holds the data sets named in ROWS. One row per kind of file; the first file of a kind is read whole, except for
products of more than 4 million pixels, of which the middle is. The table replaces what stands between the two marks.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from armillary.errors import ArmillaryError
from armillary.scene.open import open

Row = tuple[str, dict[str, object]]

ROWS: tuple[Row, ...] = (
    ("bigearthnet_s1s2_pairs/BigEarthNet-S1-Example/*", {}),
    ("bigearthnet_s1s2_pairs/BigEarthNet-S2-Example/*", {}),
    ("bigearthnet_v2_patch/BigEarthNet-S1/*/*", {}),
    ("bigearthnet_v2_patch/BigEarthNet-S2/*/*", {}),
    ("eurosat_ms/*/*.tif", {}),
    ("gfmap_s1s2/bap_*.nc", {}),
    ("gfmap_s1s2/cdse_sentinel1_grd.nc", {}),
    ("gfmap_s1s2/cdse_sentinel2_l2a.nc", {}),
    ("gfmap_s1s2/polygons_s2_*.nc", {}),
    ("gfmap_s1s2/test_optical_cube.nc", {}),
    ("majortom_cell/S2L2A/*/*/*", {}),
    ("nasaharvest_cubes/*.tif", {"sensor": "s1-grd", "step": 0}),
    ("nasaharvest_cubes/*.tif", {"sensor": "s2-l1c", "step": 0}),
    ("nasaharvest_cubes/*.tif", {"sensor": "dem"}),
    ("ombria/*/*_s1_*.webp", {"sensor": "ombria-s1"}),
    ("ombria/*/*_s2_*.webp", {"sensor": "ombria-s2"}),
    ("s1_rome_sarsen/tests/data/*.SAFE", {}),
    ("s1_rome_sarsen/tests/data/*.tif", {}),
    ("s2_l2a_weak/jp2/*.jp2", {}),
    ("s3_olci/S3A_OL_1*.nc", {}),
    ("s3_olci/ppetest*.nc", {}),
    ("s3_olci/O_L2_0001*.nc", {}),
    ("s5p/Matimba_S5P*.nc", {}),
    ("s5p/delhi_raw_nc4/*_CO_*", {}),
    ("s5p/delhi_raw_nc4/*_NO2_*", {}),
    ("s5p/delhi_raw_nc4/*_O3_*", {}),
    ("s5p/delhi_raw_nc4/*_SO2_*", {}),
    ("satclip_s2_100k/*.tif", {}),
    ("sen12mscr_1pair/*_s1_*.tif", {}),
    ("sen12mscr_1pair/*_s2_*.tif", {}),
    ("sen1floods11/S1/*.tif", {}),
    ("sen1floods11/S2/*.tif", {}),
    ("ssl4eo_s12_site/s1/*/*", {}),
    ("ssl4eo_s12_site/s2a/*/*", {}),
    ("ssl4eo_s12_site/s2c/*/*", {}),
    ("terramesh_sites/DEM/*.tif", {}),
    ("terramesh_sites/S1RTC/*.tif", {}),
    ("terramesh_sites/S2L1C/*.tif", {}),
    ("terramesh_sites/S2L2A/*.tif", {}),
    ("treesatai_1sample/*.h5", {"sensor": "s1-grd"}),
    ("treesatai_1sample/*.h5", {"sensor": "s2-l2a"}),
    ("worldcereal_cubes/tervuren.nc", {"sensor": "s1-grd"}),
    ("worldcereal_cubes/tervuren.nc", {"sensor": "s2-l2a"}),
    ("worldcereal_cubes/tervuren.nc", {"sensor": "dem"}),
    ("worldcereal_cubes/wc_belgium.nc", {"sensor": "s1-grd"}),
    ("worldcereal_cubes/wc_belgium.nc", {"sensor": "s2-l2a"}),
    ("worldcereal_cubes/wc_belgium.nc", {"sensor": "dem"}),
    ("worldcereal_cubes/wc_inputs.nc", {"sensor": "s1-grd"}),
    ("worldcereal_cubes/wc_inputs.nc", {"sensor": "s2-l2a"}),
    ("worldcereal_cubes/wc_inputs.nc", {"sensor": "dem"}),
)
"""Pattern under FOLDER -> facts that the file cannot know."""

MARKS = ("<!-- table of real files: begin -->", "<!-- table of real files: end -->")

LARGEST_PX = 4_000_000
HEAD = ("files", "n", "told", "sensor", "bands", "5 % / median / 95 %", "CRS", "time", "scaling", "offset")


def main(root: Path, page: Path) -> None:
    """Put the table into the page; a kind that does not open is a row that says why."""
    warnings.simplefilter("ignore", UserWarning)
    rows = [HEAD, ("---",) * len(HEAD)]
    for pattern, facts in ROWS:
        files = sorted(root.glob(pattern))
        if files:
            rows.append((pattern, str(len(files)), _told(facts), *_row(files[0], facts)))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n{table}\n{MARKS[1]}{after}", encoding="utf-8")


def _told(facts: dict[str, object]) -> str:
    return ", ".join(f"{k}={v}" for k, v in facts.items())


def _row(file: Path, facts: dict[str, object]) -> tuple[str, ...]:
    try:
        array = open(file, **facts)  # type: ignore[arg-type]
        values = _middle(array).values
    except ArmillaryError as error:
        return (f"refused: {type(error).__name__}", *[""] * (len(HEAD) - 4))
    a = array.attrs
    crs = array.rio.crs
    place = "none" if crs is None else f"EPSG:{crs.to_epsg()}" if crs.to_epsg() else "by WKT"
    spread = "all invalid"
    if np.isfinite(values).any():
        spread = " / ".join(f"{v:.3g}" for v in np.nanpercentile(values, [5, 50, 95]))
    return (
        f"{a['sensor']} ({a['sensor_source']})",
        f"{array.sizes['band']} ({a['bands_source']})",
        f"{spread} {a['unit']}",
        f"{place} ({a['crs_source']})",
        f"{a['time'] or ''} ({a['time_source']})",
        str(a["scaling_source"]),
        str(a.get("offset", "")),
    )


def _middle(array: xr.DataArray) -> xr.DataArray:
    h, w = array.sizes["y"], array.sizes["x"]
    if h * w <= LARGEST_PX:
        return array
    return array.isel(y=slice(h // 2, h // 2 + 512), x=slice(w // 2, w // 2 + 512))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
