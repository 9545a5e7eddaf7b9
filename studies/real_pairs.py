"""Real sets that hold Sentinel-1 and Sentinel-2 of the same places with an answer: questions for both at once.

*Flat patches*: some sets are single pixels through time. Each pixel is repeated to one token's square, so that an
encoder sees its spectrum and its date, but neither texture nor place; features of a point are the mean over its dates.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float, Int

from armillary.bench import labels
from armillary.bench.kept import Kept
from armillary.earth.fleet import sensors
from armillary.earth.sensors import Sensor
from armillary.earth.when import to_days
from armillary.models.card import Card
from armillary.probe import splits
from armillary.probe.features import Shelf, View, seen
from armillary.sample.batch import Batch, Views
from real_labels import FOLDS, Question, above_median

SIDE_PX = 128
CHUNK = 64
POINT_PX = 16
NODATA = 65535
DB_PER_COUNT, DB_SHIFT = 20.0, 83.0
"""WorldCereal: dB = 20 log10(count) - 83."""

BLOCK_DEG = 2.0
PRESTO_S2 = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
ANNUAL_CROPS, UNSPECIFIED_CROPS = 11, 10
"""WorldCereal land-cover codes."""


@dataclass(frozen=True, eq=False)
class Pairs:
    """A question whose items were seen by both sensors.

    Args:
        question: items, answers and draws.
        key: what the pixels depend on.
        views: batches of both sensors, in order, for a model's card; `steps` rows per item.
        plain: features without learning, per sensor.
        steps: dates of each item.
    """

    question: Question
    key: str
    views: Callable[[Card], Iterator[Views]]
    plain: Mapping[str, Float[np.ndarray, "n d"]]
    steps: int = 1


def ombria_pairs(data: Path, shelf: Shelf, plain: Callable[[Kept], Float[np.ndarray, "n d"]]) -> Pairs:
    """Flooded share of 694 places from what Sentinel-1 and Sentinel-2 saw afterwards; groups of places left out."""
    kept = {s: Kept.of(labels.ombria(data, f"{s}_post"), shelf) for s in ("s1", "s2")}
    groups = kept["s1"].labelled.groups
    assert groups is not None
    question = Question(
        "ombria",
        kept["s1"].labelled.y,
        {"all labels": (splits.leave_one_out(groups),)},
        groups,
        None,
        kept["s1"].lonlat(),
        "flooded share after the flood; six groups of places, each left out once",
    )

    def views(card: Card) -> Iterator[Views]:
        for start in range(0, len(question.y), CHUNK):
            items = range(start, min(start + CHUNK, len(question.y)))
            yield {
                k.labelled.sensor.name: seen(
                    card.collate(list(k.samples(items))), View(side_px=SIDE_PX, knows=("time", "area"))
                )
                for k in kept.values()
            }

    return Pairs(question, "".join(k.key for k in kept.values()), views, {s: plain(k) for s, k in kept.items()})


def ranked(pairs: Pairs) -> Pairs:
    """The same, asking which items lie above the median of their group: groups differ in level, which none shows."""
    asked = pairs.question
    assert asked.units is not None
    note = f"whether an item is above the median of its group; {asked.note}"
    y = above_median(asked.y, asked.units)
    return replace(pairs, question=replace(asked, name=f"{asked.name}_ranked", y=y, note=note))


def worldcereal_points(data: Path) -> Pairs:
    """Whether each of some 470 points of the globe is annual cropland, from twelve months; flat patches."""
    path = data / "worldcereal_cubes" / "wc_testdf.parquet"
    table = pd.read_parquet(path)
    table = table[table["LANDCOVER_LABEL"] != UNSPECIFIED_CROPS].reset_index(drop=True)
    s2 = sensors["s2-l2a"].select([b for b in sensors["s2-l2a"].band_names if b not in ("B01", "B09")])
    size = {b: "10m" if b in ("B02", "B03", "B04", "B08") else "20m" for b in s2.band_names}
    optical = _series(table, [[f"OPTICAL-{b}-ts{t}-{size[b]}" for b in s2.band_names] for t in range(12)])
    radar = _series(table, [[f"SAR-{b}-ts{t}-20m" for b in ("VV", "VH")] for t in range(12)])
    decibel = DB_PER_COUNT * np.log10(np.where(radar > 0, radar, np.nan)) - DB_SHIFT
    starts = pd.to_datetime(table["start_date"])
    days = np.stack([_days(starts + pd.DateOffset(months=t, days=14)) for t in range(12)], axis=1)
    lonlat = table[["lon", "lat"]].to_numpy(dtype=np.float64)
    y = (table["LANDCOVER_LABEL"] == ANNUAL_CROPS).to_numpy().astype(np.int64)
    values = {sensors["s1-grd"]: decibel, s2: optical * 1e-4}
    note = "annual cropland or not; monthly pixels as flat patches; folds of whole blocks of 2 degrees"
    return _points("worldcereal points", y, values, lonlat, days, splits.blocks(lonlat, BLOCK_DEG), note)


def presto(data: Path, name: str) -> Pairs:
    """A value at places from monthly pixels (fuel_moisture by site, algae_blooms by block of land); flat patches."""
    folder = data / "presto_timeseries" / "data" / name / "npy"
    table = np.load(folder / "s1_s2_era5_srtm.npy", allow_pickle=False)
    latlon = np.load(folder / "latlon.npy", allow_pickle=False)
    lonlat = latlon[:, ::-1].copy()
    y = np.load(folder / "target.npy", allow_pickle=False).astype(np.float64)
    if name == "fuel_moisture":
        groups = np.unique(np.load(folder / "site.npy", allow_pickle=False), return_inverse=True)[1]
    else:
        groups = splits.blocks(lonlat, BLOCK_DEG)
    values = {
        sensors["s1-grd"]: table[..., :2].astype(np.float32),
        sensors["s2-l1c"].select(PRESTO_S2): (table[..., 2:13] * 1e-4).astype(np.float32),
    }
    days = np.full(table.shape[:2], np.nan)  # months are told, years are not
    what = "sites" if name == "fuel_moisture" else "blocks of 2 degrees"
    return _points(name, y, values, lonlat, days, groups, f"monthly pixels as flat patches; folds of whole {what}")


def _points(
    name: str,
    y: np.ndarray,
    values: Mapping[Sensor, Float[np.ndarray, "n t c"]],
    lonlat: Float[np.ndarray, "n 2"],
    days: Float[np.ndarray, "n t"],
    groups: Int[np.ndarray, " n"],
    note: str,
) -> Pairs:
    classes = y if np.issubdtype(y.dtype, np.integer) else None
    draws = tuple(splits.group_folds(groups, FOLDS, np.random.default_rng((2, k)), y=classes) for k in range(5))
    question = Question(name, y, {"by place": draws}, groups, None, lonlat, note)
    steps = days.shape[1]
    when = torch.tensor(days.reshape(-1), dtype=torch.float32)

    def views(card: Card) -> Iterator[Views]:
        for start in range(0, len(when), 8 * CHUNK):
            rows = slice(start, start + 8 * CHUNK)
            yield {s.name: _flat(card, s, v.reshape(len(when), -1)[rows], when[rows]) for s, v in values.items()}

    key = json.dumps([name, {s.name: [float(np.nansum(v)), list(v.shape)] for s, v in values.items()}])
    plain = {s.name.split("-")[0]: np.asarray(v, dtype=np.float64).reshape(len(y), -1) for s, v in values.items()}
    return Pairs(question, key, views, plain, steps)


def _flat(card: Card, sensor: Sensor, values: Float[np.ndarray, "b c"], days: torch.Tensor) -> Batch:
    pixels = np.ascontiguousarray(np.broadcast_to(values[:, :, None, None], (*values.shape, POINT_PX, POINT_PX)))
    return card.batch(pixels, sensor, unit=sensor.unit, days=days)


def _series(table: pd.DataFrame, columns: list[list[str]]) -> Float[np.ndarray, "n t c"]:
    values = np.stack([table[some].to_numpy(dtype=np.float32) for some in columns], axis=1)
    return np.where(values == NODATA, np.nan, values)


def _days(times: pd.Series) -> Float[np.ndarray, " n"]:
    return np.array([to_days(datetime(t.year, t.month, t.day, tzinfo=UTC)) for t in times])
