"""Variants: questions that the files of Copernicus-Bench allow beside the fifteen published ones.

Every sample of a place instead of the one that was picked, both acquisitions before a flood, clouds as yes or no.
Nobody published scores for them.
"""

from dataclasses import replace
from types import MappingProxyType

from armillary.bench import tasks
from armillary.bench.archives import codes, readers
from armillary.bench.task import Suite, Task
from armillary.probe.answer import ClassMap


def _other(task: Task, ending: str, title: str, **changes: object) -> Task:
    named = replace(task, name=f"{task.name}-{ending}", title=f"{task.title} ({title})", official=None)
    return replace(named, published=MappingProxyType({}), **changes)  # type: ignore[arg-type]


_SERIES = {"joined": "mean", "samples": (1, 4)}
_SEASONS = {"joined": "mean", "samples": (4, 4)}
_S3 = tasks.CLOUD_S3.sensor

VARIANTS: Suite = MappingProxyType(
    {
        task.name: task
        for task in (
            _other(
                tasks.CLOUD_S3,
                "binary",
                "cloud or clear",
                answer=ClassMap(codes.OLCI_BINARY),
                read=readers.clouds_s3(_S3, "binary"),
            ),
            _other(tasks.LC100CLS_S3, "series", "all dates", read=readers.lc100_marks(_S3, "all"), **_SERIES),
            _other(tasks.LC100SEG_S3, "series", "all dates", read=readers.lc100_map(_S3, "all"), **_SERIES),
            _other(tasks.BIOMASS_S3, "series", "all dates", read=readers.biomass_map(_S3, "all"), **_SERIES),
            _other(
                tasks.AQ_NO2_S5P,
                "seasons",
                "four seasons",
                read=readers.air_quality(tasks.AQ_NO2_S5P.sensor, "no2", "all"),
                **_SEASONS,
            ),
            _other(
                tasks.AQ_O3_S5P,
                "seasons",
                "four seasons",
                read=readers.air_quality(tasks.AQ_O3_S5P.sensor, "o3", "all"),
                **_SEASONS,
            ),
            _other(
                tasks.FLOOD_S1,
                "two-before",
                "two acquisitions before",
                read=readers.floods(tasks.FLOOD_S1.sensor, 2),
                samples=(3, 3),
            ),
        )
    }
)
"""Task by name."""
