"""Part: one row of a Parquet part of Major TOM opened by `arm.open`; `step=` picks the row."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from armillary.errors import BadInput
from armillary.scene.majortom.embedded import scene_of
from armillary.scene.majortom.parts import read_columns, set_of_part
from armillary.scene.majortom.records import scan_parts
from armillary.scene.majortom.sets import column_of, set_of_columns
from armillary.scene.request import Request
from armillary.scene.scene import Scene


def recognises(path: Path) -> bool:
    """True for a Parquet file with cells of the grid and embedded bands."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return False
    try:
        names = pq.read_schema(path).names
    except (OSError, pa.ArrowException):
        return False
    return column_of("grid_cell", names) is not None and set_of_columns(names) is not None


def open_scene(path: Path, request: Request) -> Scene:
    """A row as a scene.

    Raises:
        BadInput: a row that is none, another sensor than it is of, or a fact that changes nothing here.
        BandMismatch: bands that its columns lack.
    """
    request.refuse(("time", "crs", "unit", "offset", "min_qa", "resolution"), "a part of Major TOM")
    found = set_of_part(path)
    if request.sensor is not None and request.sensor.name != found.sensor:
        raise BadInput(f"{path} was asked for as {request.sensor.name} and holds {found.name}; leave sensor= out")
    records = scan_parts([path], found, str(path.parent))
    row = request.step or 0
    if not 0 <= row < len(records):
        raise BadInput(f"step={row} was asked of {path}, which has rows 0 to {len(records) - 1}")
    there = pq.read_schema(path).names
    names = request.bands or tuple(b for b, c in found.columns.items() if column_of(c, there) is not None)
    columns = {b: found.columns[b] for b in found.fleet.select(names).band_names}
    contents = read_columns(records[row], tuple(columns.values()), home=str(path.parent))
    scene = scene_of(records[row], {b: contents[c] for b, c in columns.items()}, names)
    facts = {**scene.facts, "step": f"row {row} of {len(records)}: {records[row].cell}; step= picks another"}
    return Scene(str(path), scene.sensor, scene.window, scene.time, scene.pixels, scene.sources, facts)
