"""Archives for tests: synthetic files, written once for a session."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from armillary.bench.specimens.drawn import Recipe
from armillary.bench.specimens.write import Form, write_specimens

TINY = Recipe(train=4, val=2, test=3, side_px=16)


@cache
def specimens(form: Form = "extracted", *, nested: bool = False) -> Path:
    """A folder with every archive; not to be changed."""
    root = Path(mkdtemp(prefix="armillary-specimens-"))
    write_specimens(root, TINY, form=form, nested=nested)
    return root
