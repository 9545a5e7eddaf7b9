"""Jitter: a place as if it had been exposed otherwise, each band of a family of pictures brighter and steeper alike.

The colours of one event are no guide to those of the next. What is learned from pictures whose brightness and contrast
change at random is their shapes, and, where a style is given, how colours follow it.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from armillary.sample.strands import FLAT, Bands, Code, Item, Style

PerChannel = Float[np.ndarray, "c 1 1"]
AnyChannels = Float[np.ndarray, "_ _ _"]


def jittered(numbers: Item, codes: Sequence[Code], amount: float, rng: np.random.Generator) -> Item:
    """Network numbers of bands and of styles, each channel times a gain plus an offset; other strands as they are.

    Strands of one family (what stands before the first hyphen of a name, such as s1 and s2) change alike, so that what
    differs between before and after, or between a picture and its style, stays what it was in units of the contrast.

    Args:
        numbers: strand -> network numbers.
        codes: what the strands mean.
        amount: deviation of the gain's logarithm, and of the offset in network numbers.
        rng: of the item.

    Example:
        >>> code = Bands("s2-after", ("x",), ("B",), (0.0,), (1.0,), 2)
        >>> item = {"s2-after": np.ones((1, 2, 2), np.float32)}
        >>> bool((jittered(item, (code,), 0.0, np.random.default_rng(0))["s2-after"] == 1).all())
        True
    """
    found = dict(numbers)
    drawn: dict[tuple[str, int], tuple[PerChannel, PerChannel]] = {}
    for code in codes:
        if not isinstance(code, Bands | Style) or "-" not in code.name:
            continue
        key = code.name.split("-", maxsplit=1)[0], len(code.bands)
        if key not in drawn:
            normal = rng.standard_normal((2, key[1], 1, 1)).astype(np.float32) * np.float32(amount)
            drawn[key] = np.exp(normal[0]), normal[1]
        if code.name in numbers:
            found[code.name] = _changed(numbers[code.name], *drawn[key], style=isinstance(code, Style))
    return found


def _changed(x: AnyChannels, gain: PerChannel, offset: PerChannel, *, style: bool) -> AnyChannels:
    if style:
        mean, deviation = np.split(x, 2)
        steeper = np.log((np.exp(deviation) - np.float32(FLAT)).clip(0) * gain + np.float32(FLAT))
        both: AnyChannels = np.concatenate([gain * mean + offset, steeper])
        return both
    changed: AnyChannels = gain * x + offset
    return changed
