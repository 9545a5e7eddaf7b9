"""Bring the pictures of README and docs up to date after the weights or the demo have changed.

make demo && python studies/pictures.py demo-output docs/pictures

Each is copied as the demo drew it.
"""

import shutil
import sys
from pathlib import Path

SHOWN = {
    "pictures/s2-l1c.scene.png": "s2-l1c.scene.png",
    "pictures/s2-l1c.trained.png": "s2-l1c.trained.png",
    "pictures/s2-l1c.random.png": "s2-l1c.random.png",
    "s5p-no2/s5p-no2.scene.png": "s5p-no2.scene.png",
}
"""File of the demo -> its name in the docs."""

if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    demo, docs = Path(sys.argv[1]), Path(sys.argv[2])
    for source, target in SHOWN.items():
        print(shutil.copyfile(demo / source, docs / target))
