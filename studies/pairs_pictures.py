"""Draw random places of the folders that studies/pairs.py wrote, all strands side by side, to be looked at.

    python studies/pairs_pictures.py FOLDER OUT [SEED]

One line per place; grey where nothing is known. Optical bands are stretched to 0 to 0.3 (L1C and L2A alike, so that a
wrong offset shows), radar to -25 to 0 dB, relief to its own range.
"""

import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

from armillary.sample.known_strands import nano
from armillary.sample.pairs import Pairs
from armillary.sample.strands import physical
from armillary.sample.thumbs import Thumbs

CELL_PX = 128
ESRI_RGB = {1: (26, 91, 171), 2: (53, 130, 33), 4: (135, 209, 158), 5: (255, 219, 92), 7: (237, 2, 42)} | {
    8: (237, 233, 228),
    9: (242, 250, 255),
    10: (200, 200, 200),
    11: (198, 173, 141),
}

Picture = UInt8[np.ndarray, "h w 3"]


def draw(name: str, values: Float[np.ndarray, "c h w"]) -> Picture:
    """A strand as colours."""
    known = np.isfinite(values).all(axis=0)
    if name.startswith("s1"):
        vv, vh = np.nan_to_num((values + 25) / 25)
        rgb = np.stack([vv, (vh + 0.2), vv])
    elif name.startswith("s2"):
        bands = values[[2, 1, 0]] if len(values) == 4 else values[[-1, min(3, len(values) - 1), 0]]
        known = np.isfinite(bands).all(axis=0)
        rgb = bands / 0.3 if len(values) == 4 else bands / 0.5
    elif name == "land-cover":
        rgb = np.zeros((3, *values.shape[1:]))
        for code, colour in ESRI_RGB.items():
            rgb += (values == code) * np.asarray(colour)[:, None, None] / 255
    else:
        low, high = np.nanmin(values), np.nanmax(values)
        rgb = np.repeat((values - low) / max(float(high - low), 1e-6), 3, axis=0)
    rgb = np.where(known, np.nan_to_num(np.clip(rgb, 0, 1)), 0.5)
    return (rgb * 255).astype(np.uint8).transpose(1, 2, 0)


def line(pictures: dict[str, Picture], names: list[str], told: str) -> Picture:
    """One place."""
    row = Image.new("RGB", (CELL_PX * len(names), CELL_PX + 12), "black")
    for i, name in enumerate(names):
        if name in pictures:
            row.paste(
                Image.fromarray(pictures[name]).resize((CELL_PX, CELL_PX), Image.Resampling.NEAREST), (i * CELL_PX, 12)
            )
    ImageDraw.Draw(row).text((2, 0), told, fill="white")
    return np.asarray(row)


def physical_places(folder: Path, count: int, rng: np.random.Generator, together: int) -> Picture:
    """Random places, each of another site where there are as many."""
    pairs, codes = Pairs(folder, None, together=together), nano()
    names = [c.name for c in codes if c.shape[1] > 1]
    sites = sorted({pairs.place(i) for i in range(len(pairs))})
    lines = []
    for site in rng.permutation(sites)[:count]:
        own = [i for i in range(len(pairs)) if pairs.place(i) == site]
        chosen = own[int(rng.integers(len(own)))]
        values = physical(pairs.draw(chosen, rng), codes)
        place, date, height = (
            np.round(values[n].ravel(), 2) if n in values else "?" for n in ("place", "date", "dem-mean")
        )
        told = f"{pairs.key(chosen)}  at {place}  date {date}  height {height}"
        lines.append(line({n: draw(n, v) for n, v in values.items() if n in names}, names, told))
    return np.concatenate(lines)


def thumb_places(folder: Path, count: int, rng: np.random.Generator) -> Picture:
    """Random sites."""
    thumbs = Thumbs(folder)
    names = ["s1-before", "s1-after", "s2-before", "s2-after", "flood"]
    lines = []
    for site in rng.permutation(len(thumbs))[:count]:
        found = {
            n: np.nan_to_num(s.pixels, nan=128) * (255 if n == "flood" else 1) for n, s in thumbs.whole(site).items()
        }
        pictures = {
            n: np.broadcast_to(v, (3, *v.shape[1:])).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
            for n, v in found.items()
        }
        lines.append(line(pictures, names, f"{thumbs.key(site)} {thumbs.group(site)}"))
    return np.concatenate(lines)


def main(folder: Path, out: Path, seed: int = 0) -> None:
    """Two pictures."""
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(physical_places(folder / "physical", 12, rng, 2)).save(out / "physical.png")
    Image.fromarray(thumb_places(folder / "thumbs", 10, rng)).save(out / "thumbs.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:4]))
