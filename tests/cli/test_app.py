"""The command line as a user meets it: in a process of its own."""

import json
import subprocess
import sys

import pytest

from armillary.cli.app import VERBS


def armillary(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "armillary", *args], capture_output=True, text=True, check=False)


def test_help_lists_every_verb_without_loading_any() -> None:
    code = "import sys, armillary.cli.app as a; a.app(['--help'], result_action='return_value'); "
    code += "print([m for m in ('torch', 'xarray', 'rasterio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert all(verb in done.stdout for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(verb: str) -> None:
    done = armillary(verb, "--help")
    assert done.returncode == 0
    assert f"Example: armillary {verb}" in " ".join(done.stdout.split())


def test_an_unknown_verb_ends_with_code_two() -> None:
    assert armillary("embedd").returncode == 2


def test_a_missing_file_ends_with_code_two_and_one_sentence() -> None:
    done = armillary("info", "no-such-file.tif")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "no-such-file.tif" in done.stderr


def test_doctor_speaks_json() -> None:
    facts = json.loads(armillary("doctor", "--json").stdout)
    assert facts["drivers"]["COG"] is True
