"""Synthetic Sentinel-1 GRD products in the exact SAFE layout: every number follows a closed form."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint

LINES, PIXELS = 40, 60
SPACING_M = 111.32
NAME = "S1A_IW_GRDH_1SDV_20200405T171500_20200405T171525_032000_03B2A1_7F00.SAFE"
STEM = "s1a-iw-grd-{pol}-20200405t171500-20200405t171525-032000-03b2a1-{number}"


def longitude(pixel, *, ascending=True, west=12.0):
    return west + 0.001 * pixel if ascending else west + 0.059 - 0.001 * pixel


def latitude(line, *, ascending=True):
    return 42.0 + 0.001 * line if ascending else 42.0 - 0.001 * line


def amplitude(line, pixel):
    """A of sigma0; gamma0 has 10 % more, beta0 is 500 everywhere."""
    return 600.0 + pixel + line


def noise(line, pixel):
    """N of both noise styles: range table times azimuth factor."""
    return (2000.0 + 10.0 * pixel) * np.where(np.asarray(pixel) < 30, 1.0, 1.5)


def counts(seed: int) -> np.ndarray:
    values = np.random.default_rng(seed).integers(100, 400, (LINES, PIXELS)).astype(np.uint16)
    values[:, :2] = 0
    values[20, 20] = 3  # squared far below the noise
    return values


def write(
    folder: Path, *, pols=("vv", "vh"), style="new", ascending=True, west=12.0, gcps=True, cog=False, seed=0, **changes
) -> Path:
    """A product folder; `style` is "new", "old" or None (no noise file)."""
    root = folder / changes.get("name", NAME)
    for inner in ("measurement", "annotation/calibration", "preview"):
        (root / inner).mkdir(parents=True)
    manifest = _MANIFEST if style != "old" else _MANIFEST.replace("003.40", "002.72")
    (root / "manifest.safe").write_text(manifest)
    for number, pol in enumerate(pols, start=1):
        stem = STEM.format(pol=pol, number=f"{number:03d}") + ("-cog" if cog else "")
        values = changes.get("counts", counts(seed + number - 1))
        _tiff(root / f"measurement/{stem}.tiff", values, ascending=ascending, west=west, gcps=gcps)
        (root / f"annotation/{stem}.xml").write_text(_annotation(pol, ascending=ascending, west=west, **changes))
        (root / f"annotation/calibration/calibration-{stem}.xml").write_text(_calibration())
        if style:
            text = _noise_new() if style == "new" else _noise_old()
            (root / f"annotation/calibration/noise-{stem}.xml").write_text(text)
    return root


def _tiff(path, values, *, ascending, west, gcps):
    points = [
        GroundControlPoint(
            i + 0.5, j + 0.5, longitude(j, ascending=ascending, west=west), latitude(i, ascending=ascending), 0
        )
        for i in _GRID_LINES
        for j in _GRID_PIXELS
    ]
    place = {"gcps": points, "crs": "EPSG:4326"} if gcps else {}
    h, w = values.shape
    with rasterio.open(path, "w", driver="GTiff", height=h, width=w, count=1, dtype="uint16", **place) as out:
        out.write(values, 1)


_GRID_LINES, _GRID_PIXELS = (0, 20, 39), (0, 20, 40, 59)
_MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0">
<safe:software name="Sentinel-1 IPF" version="003.40"/>
<safe:relativeOrbitNumber type="start">117</safe:relativeOrbitNumber></xfdu:XFDU>"""


def _annotation(pol, *, ascending, west, performed="false", kind="GRD", **_):
    points = "".join(
        f"<geolocationGridPoint><azimuthTime>2020-04-05T17:15:00.000000</azimuthTime><slantRangeTime>5e-3</slantRangeTime>"
        f"<line>{i}</line><pixel>{j}</pixel><latitude>{latitude(i, ascending=ascending):.12e}</latitude>"
        f"<longitude>{(longitude(j, ascending=ascending, west=west) + 180) % 360 - 180:.12e}</longitude>"
        f"<height>0</height><incidenceAngle>{30 + 0.1 * j}</incidenceAngle><elevationAngle>27</elevationAngle>"
        "</geolocationGridPoint>"
        for i in _GRID_LINES
        for j in _GRID_PIXELS
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?><product><adsHeader><missionId>S1A</missionId>
<productType>{kind}</productType><polarisation>{pol.upper()}</polarisation><mode>IW</mode><swath>IW</swath>
<startTime>2020-04-05T17:15:00.123456</startTime><stopTime>2020-04-05T17:15:25.000000</stopTime>
<absoluteOrbitNumber>32000</absoluteOrbitNumber></adsHeader><generalAnnotation><productInformation>
<pass>{"Ascending" if ascending else "Descending"}</pass></productInformation></generalAnnotation>
<imageAnnotation><imageInformation><rangePixelSpacing>{SPACING_M}</rangePixelSpacing>
<azimuthPixelSpacing>{SPACING_M}</azimuthPixelSpacing><numberOfSamples>{PIXELS}</numberOfSamples>
<numberOfLines>{LINES}</numberOfLines><incidenceAngleMidSwath>3.295e+01</incidenceAngleMidSwath></imageInformation>
<processingInformation><thermalNoiseCorrectionPerformed>{performed}</thermalNoiseCorrectionPerformed>
</processingInformation></imageAnnotation><geolocationGrid><geolocationGridPointList count="12">{points}
</geolocationGridPointList></geolocationGrid></product>"""


def _row(values) -> str:
    return " ".join(f"{v:.9e}" for v in values)


def _calibration() -> str:
    pixels = np.array([0, 20, 40, 59])
    vectors = "".join(
        f"<calibrationVector><azimuthTime>x</azimuthTime><line>{n}</line><pixel count='4'>0 20 40 59</pixel>"
        f"<sigmaNought count='4'>{_row(amplitude(n, pixels))}</sigmaNought>"
        f"<betaNought count='4'>{_row([500] * 4)}</betaNought>"
        f"<gamma count='4'>{_row(1.1 * amplitude(n, pixels))}</gamma>"
        f"<dn count='4'>{_row([1] * 4)}</dn></calibrationVector>"
        for n in (-5, 50)
    )
    return f"<calibration><calibrationVectorList count='2'>{vectors}</calibrationVectorList></calibration>"


def _noise_new() -> str:
    vectors = "".join(
        f"<noiseRangeVector><azimuthTime>x</azimuthTime><line>{n}</line>"
        f"<pixel count='{len(p)}'>{' '.join(map(str, p))}</pixel>"
        f"<noiseRangeLut count='{len(p)}'>{_row(2000.0 + 10.0 * np.array(p))}</noiseRangeLut></noiseRangeVector>"
        for n, p in ((0, [0, 30, 59]), (45, [0, 10, 20, 59]))
    )
    blocks = "".join(
        f"<noiseAzimuthVector><swath>IW{k}</swath><firstAzimuthLine>0</firstAzimuthLine><firstRangeSample>{a}</firstRangeSample>"
        f"<lastAzimuthLine>39</lastAzimuthLine><lastRangeSample>{b}</lastRangeSample><line count='1'>0</line>"
        f"<noiseAzimuthLut count='1'>{f:.6e}</noiseAzimuthLut></noiseAzimuthVector>"
        for k, a, b, f in ((1, 0, 29, 1.0), (2, 30, 59, 1.5))
    )
    return (
        f"<noise><noiseRangeVectorList count='2'>{vectors}</noiseRangeVectorList>"
        f"<noiseAzimuthVectorList count='2'>{blocks}</noiseAzimuthVectorList></noise>"
    )


def _noise_old() -> str:
    pixels = np.arange(PIXELS)
    vectors = "".join(
        f"<noiseVector><azimuthTime>x</azimuthTime><line>{n}</line>"
        f"<pixel count='{PIXELS}'>{' '.join(map(str, pixels))}</pixel>"
        f"<noiseLut count='{PIXELS}'>{_row(noise(n, pixels))}</noiseLut></noiseVector>"
        for n in (0, 39)
    )
    return f"<noise><noiseVectorList count='2'>{vectors}</noiseVectorList></noise>"
