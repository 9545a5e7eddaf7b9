import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import xarray as xr

from armillary.cli.open import write as write_scene

MakeView = Callable[..., xr.DataArray]


def test_a_killed_run_goes_on(tmp_path: Path, view: MakeView) -> None:
    """Killed without warning while it generates."""
    file = tmp_path / "in.tif"
    write_scene(view("s1-rtc", (110, 64)).assign_attrs(href="here"), file, quiet=True)
    call = [sys.executable, "-m", "armillary", "generate", str(file), "--to", "dem", "--weights", "none"]
    call += ["--samples", "2", "--steps", "2", "--batch", "1", "-o", str(tmp_path / "o")]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if line.startswith("generate 2/"):
                break
        os.kill(child.pid, signal.SIGKILL)
    done = subprocess.run([*call, "--resume"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "resume 1/2" in done.stderr
    assert len(list((tmp_path / "o").glob("*.sample-*.tif"))) == 2
