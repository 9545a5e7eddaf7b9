"""A card: one YAML file that describes a user's own sensor, and the way to find any sensor by name, card or value.

A card looks like this (`nodata`, `counts`, `statistics`, `note` and a band's `gsd_m` may be left out):

    name: my-camera
    title: My camera
    unit: reflectance
    gsd_m: 3.0
    patch_px: 16
    chip_px: 224
    plausible: [0.0, 2.0]
    nodata: 0
    counts: {scale: 0.0001, shift: 0.0, dtype: uint16}
    bands:
      - {name: green, center_nm: 560, width_nm: 35}
      - {name: depth, text: Water depth}
    statistics:
      - {name: mine, mean: [0.1, 4.0], std: [0.05, 2.0], unit: reflectance, source: my 2,000 training chips}
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from armillary.earth.bands import Band, Named, Spectral
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Counts, Sensor, Statistics
from armillary.errors import ArmillaryError, BadInput, OutputRefused, SceneNotFound, SensorUnknown

CARDS = Path(__file__).parent / "cards"
"""Cards that ship: sensors of published data sets that are no product of the fleet."""


def find_sensor(what: str | os.PathLike[str] | Sensor) -> Sensor:
    """The sensor meant by a name of the fleet, a shipped card's name, a path to a card (.yaml, .yml) or a Sensor.

    Raises:
        SensorUnknown: no such name; the nearest names are suggested.
        SceneNotFound: a card's path, and nothing is there.
        BadInput: the card is not right.

    Example:
        >>> find_sensor("s2-l2a").unit, find_sensor("ombria-s2").band_names
        ('reflectance', ('SWIR', 'NIR', 'RED'))
    """
    if isinstance(what, Sensor):
        return what
    if not isinstance(what, str | os.PathLike):
        raise SensorUnknown(f"sensor={what!r} names none; give its name, a Sensor, or the path of a card (.yaml)")
    text = os.fspath(what)
    if text in sensors:
        return sensors[text]
    if Path(text).suffix.lower() in (".yaml", ".yml"):
        return read_card(Path(text))
    shipped = {p.stem: p for p in sorted(CARDS.glob("*.yaml"))}
    if text in shipped:
        return read_card(shipped[text])
    known = [*sensors, *shipped]
    close = get_close_matches(text.lower().replace("_", "-"), known, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise SensorUnknown(
        f"no sensor is called {text!r}; {hint}known are {', '.join(known)}; for a sensor of your own give the path of "
        "its card (.yaml)"
    )


def read_card(path: str | os.PathLike[str]) -> Sensor:
    """The sensor that a card describes.

    Raises:
        SceneNotFound: nothing is there.
        BadInput: unknown or missing key, wrong type, lengths that differ, or a name that the fleet has.

    Example:
        >>> read_card(CARDS / "ombria-s1.yaml").unit
        '8-bit display'
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as cause:
        raise SceneNotFound(f"the sensor card {path} was asked for and is not there; check the path") from cause
    except (OSError, UnicodeDecodeError) as cause:
        raise BadInput(f"the sensor card {path} cannot be read as text: {cause}; give a UTF-8 YAML file") from cause
    sensor = parse_card(text, origin=str(path))
    if sensor.name in sensors:
        raise BadInput(f"{path} names its sensor {sensor.name!r}, which the fleet has already; choose another name")
    return sensor


def parse_card(text: str, *, origin: str = "the card") -> Sensor:
    """The sensor that a card's YAML text describes; `origin` names it in errors.

    Example:
        >>> parse_card(card_text(sensors["dem"])) == sensors["dem"]
        True
    """
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as cause:
        raise BadInput(f"{origin} is no YAML: {' '.join(str(cause).split())}") from cause
    if not isinstance(raw, dict):
        raise BadInput(
            f"{origin} holds {type(raw).__name__}, a sensor card is a mapping of keys such as name and bands"
        )
    try:
        return _Card.model_validate(raw).build()
    except ValidationError as cause:
        raise BadInput(f"{origin}: {'; '.join(map(_complaint, cause.errors()))}") from cause
    except ArmillaryError as cause:
        raise BadInput(f"{origin}: {cause}") from cause


def card_text(sensor: Sensor) -> str:
    """The card of a sensor, as YAML; `parse_card` gives an equal sensor back."""
    data = _Card.of(sensor).model_dump(exclude_none=True)
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110)


def write_card(sensor: Sensor, path: str | os.PathLike[str]) -> Path:
    """Write the card of a sensor, completely or not at all; returns the path.

    Raises:
        OutputRefused: the folder is absent or may not be written.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_text(card_text(sensor), encoding="utf-8")
        aside.replace(path)
    except OSError as cause:
        aside.unlink(missing_ok=True)
        raise OutputRefused(f"the card cannot be written to {path}: {cause.strerror}; choose another folder") from cause
    return path


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _BandCard(_Strict):
    name: str
    center_nm: float | None = None
    width_nm: float | None = None
    polarisation: str | None = None
    text: str | None = None
    vector: tuple[float, ...] | None = None
    gsd_m: float | None = None

    def build(self) -> Band:
        if self.text is not None and self.center_nm is None and self.width_nm is None:
            return Named(self.text, self.vector)
        if self.text is None and self.vector is None and self.center_nm is not None and self.width_nm is not None:
            return Spectral(self.center_nm, self.width_nm, self.polarisation)
        raise BadInput(f"band {self.name} needs either center_nm and width_nm, or text (with or without vector)")


class _CountsCard(_Strict):
    scale: float | tuple[float, ...] = 1.0
    shift: float = 0.0
    dtype: str = "uint16"


class _StatisticsCard(_Strict):
    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    unit: str
    source: str


class _Card(_Strict):
    """A card as pydantic reads it; `Sensor` holds the invariants."""

    name: str
    title: str
    unit: str
    gsd_m: float
    patch_px: int
    chip_px: int
    plausible: tuple[float, float]
    nodata: float | None = None
    counts: _CountsCard | None = None
    bands: tuple[_BandCard, ...]
    statistics: tuple[_StatisticsCard, ...] = ()
    note: str = ""

    @classmethod
    def of(cls, sensor: Sensor) -> "_Card":
        counts = sensor.counts
        return cls(
            name=sensor.name,
            title=sensor.title,
            unit=sensor.unit,
            gsd_m=sensor.gsd_m,
            patch_px=sensor.patch_px,
            chip_px=sensor.chip_px,
            plausible=sensor.plausible,
            nodata=None if counts is None else counts.nodata,
            counts=None if counts is None else _CountsCard(scale=counts.scale, shift=counts.shift, dtype=counts.dtype),
            bands=tuple(map(_band_card, sensor.band_names, sensor.bands, sensor.band_gsd_m)),
            statistics=tuple(
                _StatisticsCard(name=s.name, mean=s.mean, std=s.std, unit=s.unit, source=s.source)
                for s in sensor.statistics
            ),
            note=sensor.note,
        )

    def build(self) -> Sensor:
        wrong = [k for k in ("gsd_m", "patch_px", "chip_px") if not getattr(self, k) > 0]
        if wrong or not self.bands:
            raise BadInput(f"{', '.join(wrong) or 'bands'} must be more than none; write positive numbers and a band")
        if not self.plausible[0] < self.plausible[1]:
            raise BadInput(f"plausible is {list(self.plausible)}; write the smallest value, then the largest")
        return Sensor(
            name=self.name,
            title=self.title,
            band_names=tuple(b.name for b in self.bands),
            bands=tuple(b.build() for b in self.bands),
            unit=self.unit,
            gsd_m=self.gsd_m,
            band_gsd_m=tuple(self.gsd_m if b.gsd_m is None else b.gsd_m for b in self.bands),
            patch_px=self.patch_px,
            chip_px=self.chip_px,
            plausible=self.plausible,
            counts=self._counts(),
            statistics=tuple(Statistics(s.name, s.mean, s.std, s.unit, s.source) for s in self.statistics),
            note=self.note,
        )

    def _counts(self) -> Counts | None:
        if self.counts is None and self.nodata is None:
            return None
        c = self.counts or _CountsCard(dtype="float32")
        scale = c.scale if isinstance(c.scale, tuple) else (c.scale,) * len(self.bands)
        return Counts(scale=scale, shift=c.shift, nodata=self.nodata, dtype=c.dtype)


def _band_card(name: str, band: Band, gsd_m: float) -> _BandCard:
    match band:
        case Spectral(center_nm, width_nm, polarisation):
            return _BandCard(name=name, center_nm=center_nm, width_nm=width_nm, polarisation=polarisation, gsd_m=gsd_m)
        case Named(text, vector):
            return _BandCard(name=name, text=text, vector=vector, gsd_m=gsd_m)


def _complaint(error: Mapping[str, Any]) -> str:
    """One of pydantic's complaints as a sentence that names the key."""
    key = ".".join(str(p) for p in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}; remove it or correct its spelling"
    if error["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r}: {error['msg']}, got {error['input']!r}"
