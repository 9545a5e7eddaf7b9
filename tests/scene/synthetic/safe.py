"""SYNTHETIC Sentinel-2 SAFE products: the true tree, names and XML elements, with planted numbers. No real pixels."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import rasterio
from rasterio.transform import Affine

TILE, DATATAKE, SENSED = "33TUH", "20170815T100031", "2017-08-15T10:02:05.120Z"
ULX, ULY, CRS = 300000, 4600020, "EPSG:32633"
SIZE = {10: 60, 20: 30, 60: 10}
L1C = {"B01": 60, "B02": 10, "B03": 10, "B04": 10, "B05": 20, "B06": 20, "B07": 20, "B08": 10, "B8A": 20, "B09": 60}
L1C |= {"B10": 60, "B11": 20, "B12": 20}
IDS = {b: i for i, b in enumerate(("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10"))}
IDS |= {"B11": 11, "B12": 12}
BASE = {b: 2000 + 100 * i for b, i in IDS.items()}
"""The constant count of each band: distinct, so that a mix-up shows."""


@dataclass(frozen=True)
class Variant:
    """One of the four products of the format notes."""

    level: str = "L2A"
    baseline: str = "05.11"
    listed: bool = True
    offset: int = -1000

    @property
    def name(self) -> str:
        return f"S2A_MSI{self.level}_{DATATAKE}_N{self.baseline.replace('.', '')}_R122_T{TILE}_20220201T120000"


def counts(band: str) -> np.ndarray:
    """Band constant; column 0 is 0, then planted in row 1: 32767, 1000, 900; a ramp in the last row."""
    n = SIZE[L1C[band]]
    dn = np.full((n, n), BASE[band], np.uint16)
    dn[1, 1:4] = 32767, 1000, 900
    dn[-1, 1:] = BASE[band] + np.arange(1, n)
    dn[:, 0] = 0
    return dn


def write_safe(folder: Path, variant: Variant = Variant(), *, without: tuple[str, ...] = ()) -> Path:
    """A .SAFE folder; `without` names bands whose files are left out."""
    root = folder / f"{variant.name}.SAFE"
    granule = f"GRANULE/{variant.level}_T{TILE}_A011228_{DATATAKE}"
    files = {}
    for band, gsd in L1C.items():
        if variant.level == "L2A" and band == "B10":
            continue
        inner = f"{granule}/IMG_DATA/T{TILE}_{DATATAKE}_{band}"
        if variant.level == "L2A":
            inner = f"{granule}/IMG_DATA/R{gsd}m/T{TILE}_{DATATAKE}_{band}_{gsd}m"
        files[band] = inner
        if band not in without:
            write_jp2(root / f"{inner}.jp2", counts(band), gsd)
    if variant.level == "L2A":
        inner = f"{granule}/IMG_DATA/R20m/T{TILE}_{DATATAKE}"
        write_jp2(root / f"{inner}_B02_20m.jp2", np.full((30, 30), 9, np.uint16), 20)  # a trap: no native band
        write_jp2(root / f"{inner}_SCL_20m.jp2", (np.arange(900).reshape(30, 30) % 12).astype(np.uint8), 20)
        files |= {"B02_20m": f"{inner}_B02_20m", "SCL": f"{inner}_SCL_20m"}
    (root / f"MTD_MSI{variant.level}.xml").write_text(product_xml(variant, files))
    (root / granule / "MTD_TL.xml").write_text(tile_xml(variant))
    (root / "manifest.safe").write_text("<xfdu/>")
    return root


def write_jp2(path: Path, dn: np.ndarray, gsd: int) -> None:
    """Lossless; the driver's default is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    profile = {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES", "YCBCR420": "NO", "count": 1}
    place = {"crs": CRS, "transform": Affine(gsd, 0, ULX, 0, -gsd, ULY)}
    with rasterio.open(path, "w", height=dn.shape[0], width=dn.shape[1], dtype=dn.dtype, **profile, **place) as file:
        file.write(dn, 1)
    Path(f"{path}.aux.xml").unlink(missing_ok=True)


def zip_safe(root: Path, zipped: Path, *, top: bool) -> Path:
    """The folder as a zip, with or without its top folder, and with the debris that a Mac leaves."""
    base = root.parent if top else root
    with ZipFile(zipped, "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(base).as_posix())
        archive.writestr(f"__MACOSX/{root.name}/._MTD_MSIL1C.xml", b"\0")
        archive.writestr("._MTD_MSIL2A.xml", b"\0")
    return zipped


def product_xml(variant: Variant, files: dict[str, str]) -> str:
    tag, unit = ("BOA", "BOA_ADD_OFFSET") if variant.level == "L2A" else ("Radiometric", "RADIO_ADD_OFFSET")
    outer = "BOA_ADD_OFFSET_VALUES_LIST" if tag == "BOA" else "Radiometric_Offset_List"
    each = "".join(f'<{unit} band_id="{i}">{variant.offset}</{unit}>' for i in range(13))
    quant = "<QUANTIFICATION_VALUE unit='none'>10000</QUANTIFICATION_VALUE>"
    if variant.level == "L2A":
        rest = "<AOT_QUANTIFICATION_VALUE>1000</AOT_QUANTIFICATION_VALUE>"
        quant = f"<BOA_QUANTIFICATION_VALUE>10000</BOA_QUANTIFICATION_VALUE>{rest}"
        quant = f"<QUANTIFICATION_VALUES_LIST>{quant}</QUANTIFICATION_VALUES_LIST>"
    images = "".join(f"<IMAGE_FILE>{f}</IMAGE_FILE>" for f in files.values())
    level, short = f"Level-{variant.level[1:]}", variant.level[1:]
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_{level}.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2017-08-15T10:00:31.026Z</PRODUCT_START_TIME>
<PRODUCT_STOP_TIME>2017-08-15T10:00:31.026Z</PRODUCT_STOP_TIME>
<PROCESSING_LEVEL>{level}</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI{short}</PRODUCT_TYPE>
<PROCESSING_BASELINE>{variant.baseline}</PROCESSING_BASELINE>
<Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME></Datatake>
<Product_Organisation><Granule_List><Granule>{images}</Granule></Granule_List></Product_Organisation>
</Product_Info><Product_Image_Characteristics>
<Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX>
</Special_Values>{quant}{f"<{outer}>{each}</{outer}>" if variant.listed else ""}
</Product_Image_Characteristics></n1:General_Info>
<n1:Quality_Indicators_Info><Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment></n1:Quality_Indicators_Info>
</n1:{level}_User_Product>"""


def tile_xml(variant: Variant) -> str:
    level = f"Level-{variant.level[1:]}"
    sizes = "".join(f'<Size resolution="{g}"><NROWS>{n}</NROWS><NCOLS>{n}</NCOLS></Size>' for g, n in SIZE.items())
    corners = "".join(
        f'<Geoposition resolution="{g}"><ULX>{ULX}</ULX><ULY>{ULY}</ULY><XDIM>{g}</XDIM><YDIM>-{g}</YDIM></Geoposition>'
        for g in SIZE
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:{level}_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_{level}_Tile_Metadata.xsd">
<n1:General_Info><SENSING_TIME metadataLevel="Standard">{SENSED}</SENSING_TIME></n1:General_Info>
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>{CRS}</HORIZONTAL_CS_CODE>{sizes}{corners}</Tile_Geocoding>
</n1:Geometric_Info></n1:{level}_Tile_ID>"""
