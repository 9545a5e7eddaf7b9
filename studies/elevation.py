"""Tell how far the elevation of a scene is off true ground, with the means of windows as told and as moved.

    python studies/elevation.py SETS

SETS is the folder of real sets; asked are the four sites of TerraMesh, of which one was held out. Printed are, in
metres and but for one height of the whole: how much the ground varies, and the deviation of what is generated from it,
first with means as the windows were told, then moved by `armillary.product.generated.heights`. Below: true relief about
means that were made wrong by 50 m, twenty draws, and true means with true relief and
with relief of half its size.
"""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from jaxtyping import Float

import armillary as arm
from armillary.generate.windows import Axis
from armillary.product.generated.heights import Blend, Side

FOLDERS = {"s2-l2a": "S2L2A", "s2-l1c": "S2L1C", "s1-rtc": "S1RTC"}
STEPS = (1, 6)
WRONG_M = 50.0
DRAWS = 20
WHOLE = slice(None)
SIDE = Side(Axis(cells=56, side=16, overlap=4), px=2)
"""Of 224 pixels of 10 m, as cop-gen-nano sees them: cells of 40 m, relief in pixels of 20 m."""


def generated(root: Path, site: str) -> Iterator[str]:
    """One line per sensor that is given and number of askings."""
    ground = arm.open(root / "DEM" / site, sensor="dem").values[0]
    model = arm.load_model("cop-gen-nano")
    for sensor, folder in FOLDERS.items():
        scene = arm.open(root / folder / site, sensor=sensor).load()
        for steps in STEPS:
            moved = arm.generate(scene, to=["dem"], model=model, steps=steps)["dem"].values[0]
            with patch.object(Blend, "agreed", lambda _, means, *__: means):
                told = arm.generate(scene, to=["dem"], model=model, steps=steps)["dem"].values[0]
            off = [float((z - ground).std()) for z in (told, moved)]
            yield (
                f"{site:<20} {sensor:<7} {steps:>2} askings  ground {ground.std():4.1f}  told {off[0]:6.1f}  "
                f"moved {off[1]:5.1f}"
            )


def cut(z: Float[np.ndarray, "y x"], blend: Blend) -> tuple[Float[np.ndarray, "r c"], Float[np.ndarray, "y x"]]:
    """True means of the windows, and what true relief adds to them, blended."""
    starts, n = [start * SIDE.px for start in SIDE.axis.starts], SIDE.axis.side * SIDE.px
    means = np.array([[z[r : r + n, c : c + n].mean() for c in starts] for r in starts])
    return means, z - blend.field(means, WHOLE)


def closed(root: Path, site: str) -> str:
    """True relief, about wrong means and about true ones."""
    z = arm.open(root / "DEM" / site, sensor="dem").values[0].astype(np.float64)
    z = z.reshape(112, 2, 112, 2).mean(axis=(1, 3))
    blend, known = Blend(SIDE, SIDE), np.ones(z.shape, bool)
    means, relief = cut(z, blend)

    def left(told: Float[np.ndarray, "r c"], share: float = 1.0) -> float:
        agreed = blend.agreed(told, lambda rows: share * relief[None, rows], lambda rows: known[rows], 256)
        return float((blend.field(agreed, WHOLE) + share * relief - z).std())

    rng = np.random.default_rng(0)
    wrong = [left(means + rng.normal(0, WRONG_M, means.shape)) for _ in range(DRAWS)]
    return (
        f"{site:<20} ground {z.std():4.1f}  means wrong by 50: left {np.mean(wrong):.2f}  "
        f"true means: off {left(means):.2f}, with half the relief {left(means, 0.5):.2f}"
    )


def main(sets: Path) -> None:
    """Print all lines."""
    warnings.simplefilter("ignore")
    root = sets / "terramesh_sites"
    sites = sorted(path.name for path in (root / "DEM").glob("*.tif"))
    for site in sites:
        print(closed(root, site), flush=True)
    for site in sites:
        for line in generated(root, site):
            print(line, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
