"""The list of bad inputs, through the program: exit code 2, one line on stderr, nothing half-written."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio import shutil as raster_files
from tests.scene.synthetic.rasters import GRID, PRODUCT, RGB, counts, write

from armillary.cli.app import main


def run(*argv: object) -> int:
    try:
        main([str(a) for a in argv])
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def complaints(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What stderr says besides warnings."""
    lines = capsys.readouterr().err.splitlines()
    return [line for line in lines if not line.startswith("warning: ")]


def cog(path: Path, kept: float = 1.0) -> Path:
    source = write(path.with_name("whole.tif"), counts(3, 600, 600), RGB)
    raster_files.copy(str(source), str(path), driver="COG", compress="deflate", overviews="NONE")
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    source.unlink()
    return path


def text(folder: Path) -> Path:
    (folder / "x.tif").write_text("hello, this is no image\n")
    return folder / "x.tif"


def empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def cut_jp2(folder: Path) -> Path:
    (folder / "x.jp2").write_bytes(b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftyp")
    return folder / "x.jp2"


def cut_zip(folder: Path) -> Path:
    path = folder / f"{PRODUCT}.SAFE.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{PRODUCT}.SAFE/MTD_MSIL2A.xml", "<a/>" * 1000)
    path.write_bytes(path.read_bytes()[:200])
    return path


BAD = {
    "a text file named .tif": text,
    "a tif cut in its header": lambda f: cog(f / f"{PRODUCT}.tif", 0.001),
    "a tif cut in its middle": lambda f: cog(f / f"{PRODUCT}.tif", 0.5),
    "a tif cut near its end": lambda f: cog(f / f"{PRODUCT}.tif", 0.98),
    "a cut jp2": cut_jp2,
    "a cut zip": cut_zip,
    "two unnamed bands": lambda f: write(f / "x.tif", counts(2)),
    "nothing valid": lambda f: write(f / f"{PRODUCT}.tif", np.full((3, 8, 8), np.nan, "float32"), RGB),
    "nothing but nodata": lambda f: write(f / f"{PRODUCT}.tif", np.zeros((3, 8, 8), "uint16"), RGB, nodata=0),
    "complex numbers": lambda f: write(f / f"{PRODUCT}.tif", counts().astype("complex64"), RGB),
    "8-bit grey": lambda f: write(f / f"{PRODUCT}.tif", counts().astype("uint8"), RGB),
    "horizontal polarisations": lambda f: write(f / "x.tif", -counts(2).astype("float32") / 100, ("HH", "HV")),
    "a flat affine": lambda f: write(f / f"{PRODUCT}.tif", counts(), RGB, transform=Affine(0, 0, 6e5, 0, 0, 5e6)),
    "an empty folder": empty_folder,
    "nothing": lambda f: f / "nope.tif",
}


@pytest.mark.parametrize("verb", ["info", "open"])
@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_ends_with_2_and_one_sentence(
    what: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.tif"
    more = ("-o", out) if verb == "open" else ("--json",)
    assert run(verb, BAD[what](tmp_path), *more) == 2
    assert len(complaints(capsys)) == 1
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(
    "flags",
    [
        ("--bands", ""),
        ("--bands", "B99"),
        ("--bands", "B04,B04"),
        ("--bands", "B04,B11"),
        ("--sensor", "s9"),
        ("--sensor", "s1-grd"),
        ("--time", "yesterday"),
        ("--crs", "EPSG:0"),
        ("--unit", "degrees"),
        ("--offset", "nan"),
        ("--min-qa", "0.5"),
        ("--resolution", "0"),
        ("--resolution", "nan"),
        ("--resolution", "15"),
        ("--step", "4"),
        ("--step", "x"),
        ("--window", "1", "2", "3"),
        ("--window", "10", "48", "11", "47"),
        ("--window", "100", "0", "101", "1"),
        ("--colour", "red"),
    ],
)
def test_a_bad_flag_ends_with_2_and_one_sentence(
    flags: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / f"{PRODUCT}.tif", counts(), RGB)
    assert run("info", file, *flags) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "argv", [("info",), ("paint", "x"), ("open", "x.tif"), ("info", "x.tif", "y.tif"), ("info", "--file")]
)
def test_a_bad_command_line_ends_with_2_and_one_sentence(
    argv: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*argv) == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert err.startswith("armillary: ")


@pytest.mark.parametrize("output", ["", "no/such/x.tif", "file/x.tif", "folder", "x" * 300 + ".tif", "/proc/x.tif"])
def test_an_output_that_cannot_be_is_refused(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path / f"{PRODUCT}.tif", counts(), RGB)
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    assert run("open", file, "-o", output) == 2
    assert len(complaints(capsys)) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([file.name, "file", "folder"])


def test_a_source_that_breaks_off_is_not_blamed_on_the_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("open", cog(tmp_path / f"{PRODUCT}.tif", 0.98), "-o", tmp_path / "out.tif") == 2
    assert "cannot be written" not in capsys.readouterr().err


GOOD = {
    "rotated": {"transform": GRID @ Affine.rotation(20)},
    "south up": {"transform": Affine(10, 0, 600000, 0, 10, 5300000)},
    "antimeridian in degrees": {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 179.95, 0, -0.01, -17)},
    "antimeridian in utm 1": {"crs": "EPSG:32601", "transform": Affine(1000, 0, 222000, 0, -1000, 4e6)},
    "antimeridian in utm 60": {"crs": "EPSG:32660", "transform": Affine(1000, 0, 760000, 0, -1000, 4e6)},
    "north pole": {"crs": "EPSG:3995", "transform": Affine(1e4, 0, -8e4, 0, -1e4, 1e5)},
    "south pole": {"crs": "EPSG:3031", "transform": Affine(1e4, 0, -8e4, 0, -1e4, 1e5)},
    "no epsg code": {"crs": "+proj=laea +lat_0=48 +lon_0=9 +ellps=WGS84", "transform": Affine(10, 0, 0, 0, -10, 0)},
    "no crs": {"crs": None},
    "a local crs": {"crs": 'LOCAL_CS["mine",UNIT["metre",1]]'},
}


@pytest.mark.parametrize("what", GOOD)
def test_an_odd_place_opens_and_is_written_as_it_is(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "Ünï cödé 雪" / f"{PRODUCT}.tif", counts(), RGB, **GOOD[what])
    assert run("info", file, "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert run("open", file, "-o", tmp_path / "wrïtten 雪.tif", "--json") == 0
    capsys.readouterr()
    assert run("info", tmp_path / "wrïtten 雪.tif", "--json") == 0
    again = json.loads(capsys.readouterr().out)
    for fact in ("sensor", "crs", "bounds_lonlat", "gsd_m", "upright", "time", "size", "bands"):
        assert again[fact] == seen[fact]
    assert (seen["crs"] is None) == (what in ("no crs", "a local crs"))
    if "antimeridian" in what:
        west, _, east, _ = seen["bounds_lonlat"]
        assert west > 0 > east


def test_a_single_pixel_has_its_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("info", write(tmp_path / f"{PRODUCT}.tif", counts(3, 1, 1), RGB), "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["size"] == {"bands": 3, "rows": 1, "cols": 1}
    assert seen["bands"][0]["valid_percent"] == 100
