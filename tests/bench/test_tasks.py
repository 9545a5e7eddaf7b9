import pytest

from armillary.bench.task import Task
from armillary.bench.tasks import COPERNICUS
from armillary.bench.variants import VARIANTS
from armillary.earth.fleet import BENCH, sensors
from armillary.probe.answer import MAIN, OneOf, ValueMap, is_dense

NAMES = (
    "cloud-s2 cloud-s3 eurosat-s1 eurosat-s2 bigearthnet-s1 bigearthnet-s2 lc100cls-s3 dfc2020-s1 dfc2020-s2 "
    "lc100seg-s3 flood-s1 lcz-s2 biomass-s3 aq-no2-s5p aq-o3-s5p"
)
TOTALS = (2817, 1995, 27000, 27000, 24002, 24002, 8635, 5128, 5128, 8635, 5000, 25000, 5000, 2467, 2467)

every = pytest.mark.parametrize("task", COPERNICUS.values(), ids=lambda task: task.name)


def test_fifteen_tasks_in_the_order_of_the_publication() -> None:
    assert " ".join(COPERNICUS) == NAMES
    assert tuple(sum(t.sizes.values()) for t in COPERNICUS.values()) == TOTALS
    assert [t.level for t in COPERNICUS.values()] == [1] * 2 + [2] * 8 + [3] * 5
    assert len({t.archive.path for t in COPERNICUS.values()}) == 11


@every
def test_every_archive_says_where_it_comes_from_and_what_it_may_be_used_for(task: Task) -> None:
    assert task.archive.licence
    assert task.archive.source
    assert task.archive.repository
    assert len(task.archive.revision) == 40
    assert all(len(bytes.fromhex(md5)) == 16 for _, md5 in task.archive.downloads)


@every
def test_official_numbers_fit_the_bands(task: Task) -> None:
    official = task.official
    assert official is not None
    per_sample = len(task.sensor.bands) * task.samples[1]
    assert len(official.mean) == len(official.std)
    assert len(official.mean) in {0, len(task.sensor.bands), per_sample}
    assert official.unit in {"count", "linear", task.sensor.unit}
    assert official.batch == (16 if is_dense(task.answer) else 64)


@every
def test_dense_tasks_say_the_grid_of_their_truth(task: Task) -> None:
    assert (task.truth_gsd_m is not None) == is_dense(task.answer)


def test_eurosat_statistics_follow_the_stored_order_of_the_bands() -> None:
    task = COPERNICUS["eurosat-s2"]
    house = sensors["s2-l1c"]
    at = house.band_names.index("B8A")
    assert task.sensor.band_names == (*house.band_names[:at], *house.band_names[at + 1 :], "B8A")
    assert task.official.mean[-1] == house.statistic(BENCH).mean[at] == 2599.7


def test_the_published_mistake_of_flood_is_kept_for_the_official_view_alone() -> None:
    official = COPERNICUS["flood-s1"].official
    assert official.std[2:] == official.mean[2:] != official.std[:2]
    assert (official.clamp, official.fill, official.unit) == ((0.0, 0.15), 0.15, "linear")


def test_constant_areas_are_those_of_the_published_wrappers() -> None:
    found = {t.name: t.official.patch_km2 for t in COPERNICUS.values()}
    odd = {"biomass-s3": 23.04, "aq-no2-s5p": 16.0, "aq-o3-s5p": 16.0}
    olci = dict.fromkeys(("cloud-s3", "lc100cls-s3", "lc100seg-s3"), 5.76)
    assert found == dict.fromkeys(COPERNICUS, 0.0256) | olci | odd


def test_places_and_times_are_known_where_the_publication_says_so() -> None:
    knows = {t.name: t.knows for t in COPERNICUS.values()}
    bare = {name for name, facts in knows.items() if "place" not in facts}
    timeless = {name for name, facts in knows.items() if "time" not in facts}
    assert bare == {"dfc2020-s1", "dfc2020-s2", "lcz-s2"}
    assert timeless == bare | {"eurosat-s1", "eurosat-s2"}


def test_main_measures_are_the_published_ones() -> None:
    found = [MAIN[type(t.answer)] for t in COPERNICUS.values()]
    assert found == ["mIoU"] * 2 + ["OA"] * 2 + ["mAP"] * 3 + ["mIoU"] * 4 + ["OA"] + ["RMSE"] * 3
    assert isinstance(COPERNICUS["lcz-s2"].answer, OneOf)
    assert COPERNICUS["biomass-s3"].answer == ValueMap("Mg/ha")


def test_variants_have_names_of_their_own_and_no_published_scores() -> None:
    assert not set(VARIANTS) & set(COPERNICUS)
    assert all(not t.published and t.official is None for t in VARIANTS.values())
    assert {t.samples for t in VARIANTS.values()} == {(1, 1), (1, 4), (4, 4), (3, 3)}
