import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data: $ARMILLARY_SHARED, or `../shared` beside the repository. Skips where it is absent."""
    root = Path(os.environ.get("ARMILLARY_SHARED", BESIDE))
    if not (root / "data").is_dir():
        pytest.skip(f"real data are not at {root}; set ARMILLARY_SHARED to the folder that holds data/")
    return root
