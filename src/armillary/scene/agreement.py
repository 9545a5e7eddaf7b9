"""What the caller says and what a product says about itself: they agree, or one sentence says how they differ."""

from pathlib import Path

from armillary.earth.lexicon import house_name
from armillary.earth.sensors import Sensor
from armillary.errors import BandMismatch, SensorUnknown
from armillary.scene.request import Request


def agree(found: Sensor, request: Request, path: Path) -> Sensor:
    """The sensor to read: what the product holds, narrowed to what the caller asked for.

    Raises:
        SensorUnknown: the caller names another sensor.
        BandMismatch: the caller asks for bands that are not here.
    """
    asked = request.sensor
    if asked is not None and asked.name != found.name:
        raise SensorUnknown(
            f"{path} was opened as {asked.name}, and says itself that it is {found.name}; leave sensor= out"
        )
    bands = request.bands and tuple(_house(n, found) for n in request.bands)
    names = bands or (None if asked is None else tuple(b for b in asked.band_names if b in found.band_names))
    if names is None or names == found.band_names:
        return found
    absent = [n for n in names if n not in found.band_names]
    if absent or not names:
        raise BandMismatch(
            f"{path} was asked for {', '.join(absent) or 'bands it does not hold'}; "
            f"it holds {', '.join(found.band_names)}"
        )
    return found.select(names)


def _house(name: str, found: Sensor) -> str:
    """The product's own name of a band that the caller calls by a foreign one."""
    house = house_name(name)
    return house if house in found.band_names else name
