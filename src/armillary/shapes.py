"""The axis letters of every shape in the project; they mean the same in each file.

b item, c band, h row, w column, n token, d width, t step, v node, e edge; k is a kernel's side in pixels.

`Float[np.ndarray, "c h w"]` in a signature is checked at run time in the tests and costs nothing elsewhere.
"""

import numpy as np
from jaxtyping import Bool, Float

Pixels = Float[np.ndarray, "c h w"]
"""Values of one sensor, bands first; NaN where there is none."""

Valid = Bool[np.ndarray, "h w"]
"""True where every band of a pixel holds a value."""
