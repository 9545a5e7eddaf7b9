"""Law 7: importing leaves the random state alone, prints nothing, opens no connection; the top stays light."""

import pkgutil
import subprocess
import sys

import armillary

MODULES = sorted(m.name for m in pkgutil.walk_packages(armillary.__path__, "armillary."))

PROBE = """
import importlib, random, socket, sys
import numpy, torch
import rich.console, rich.progress, rich.table  # rich itself draws a random number per style at import
def refuse(*_, **__):
    raise AssertionError("a connection at import")
socket.socket.connect = refuse
before = (random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
for name in sys.argv[1:]:
    importlib.import_module(name)
after = (random.getstate(), numpy.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
sys.exit(0 if before == after else 3)
"""


def _run(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, check=False)


def test_importing_every_module_is_silent_and_leaves_random_state_alone() -> None:
    done = _run("-c", PROBE, *MODULES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_import_armillary_loads_no_heavy_package() -> None:
    heavy = "{'torch', 'xarray', 'rasterio', 'numpy', 'matplotlib'}"
    done = _run("-c", f"import sys, armillary; print(sorted({heavy} & set(sys.modules)))")
    assert done.stdout.strip() == "[]"


def test_facts_and_readers_load_no_torch() -> None:
    done = _run("-c", "import sys, armillary.earth.fleet, armillary.scene.open; print('torch' in sys.modules)")
    assert done.stdout.strip() == "False"


def test_every_public_name_is_where_the_table_says() -> None:
    for name in armillary.__all__:
        assert getattr(armillary, name) is not None


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    assert not hasattr(armillary, "modality")
