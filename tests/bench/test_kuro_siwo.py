from itertools import chain
from pathlib import Path

import numpy as np
from affine import Affine

from armillary.bench.files import open_files
from armillary.bench.kuro_siwo import EVENTS, KURO_SIWO
from armillary.bench.specimens.drawn import Spot, tif

SPOT = Spot("EPSG:3857", Affine(10.0, 0.0, 1336000.0, 0.0, -10.0, 5942000.0))


def _tile(root: Path, path: str, *, labelled: bool = True) -> None:
    act, area = path.split("/")[:2]
    folder = root / "data" / path
    folder.mkdir(parents=True)
    names = [f"{role}_{band}" for role in ("MS1", "SL1", "SL2") for band in ("IVV", "IVH")]
    for name in [*names, "MK0_DEM"]:
        (folder / f"{name}_{act}_{area}_20200101.tif").write_bytes(tif(np.full((1, 4, 4), 0.1, np.float32), SPOT))
    for name in ("MK0_MLU", "MK0_MNA") if labelled else ():
        (folder / f"{name}_{act}_{area}_20200101.tif").write_bytes(tif(np.ones((1, 4, 4), np.uint8), SPOT))
    (folder / "info.json").write_text("{}")


def test_parts_are_events_and_no_event_is_in_two() -> None:
    every = list(chain.from_iterable(EVENTS.values()))
    assert len(every) == len(set(every)) == 44


def test_only_labelled_tiles_of_known_events_are_asked(tmp_path: Path) -> None:
    root = tmp_path / "KuroSiwo"
    for path in ("561/01/aa", "130/01/bb", "514/02/cc", "1111012/01/dd"):
        _tile(root, path)
    _tile(root, "130/00/ee/eeee", labelled=False)
    items = KURO_SIWO.read(open_files(tmp_path, KURO_SIWO.archive))
    assert (items.keys, items.parts) == (("130/01/bb", "514/02/cc", "561/01/aa"), ("train", "val", "test"))
    item = items.item(0)
    assert [s.pixels[:, 0, 0].round(3).tolist() for s in item.samples] == [[-10, -10]] * 2
    assert np.unique(item.truth).tolist() == [1]
