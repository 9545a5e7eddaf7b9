"""The command line as a user meets it: in a process of its own."""

import json
import subprocess
import sys

import pytest
from cyclopts import App

from armillary.cli.app import VERBS, app
from armillary.cli.flags import Whole


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


def whole_numbers(verb: App) -> list[tuple[str, object]]:
    """Every option of a verb and of the verbs below it that takes a whole number, and what reads it."""
    own = [] if verb.default_command is None else verb.assemble_argument_collection()
    found = [(a.name, a.parameter.converter) for a in own if a.hint in (int, int | None)]
    return found + [one for name in verb if not name.startswith("-") for one in whole_numbers(verb[name])]


def test_every_option_that_counts_refuses_a_share() -> None:
    (reader,) = (p.converter for p in Whole.__metadata__)
    found = [one for verb in VERBS for one in whole_numbers(app[verb])]
    assert {"--samples", "--seed", "--epochs", "--per-shard", "--tile", "--step"} <= {name for name, _ in found}
    assert [name for name, own in found if own is not reader] == []


@pytest.mark.parametrize("number", ["1.5", "-0.5", "1e-3", "nan", "inf", "two"])
def test_what_is_no_whole_number_is_refused_in_one_sentence(number: str) -> None:
    done = armillary("generate", "a.tif", "--to", "dem", "-o", "o", "--seed", number)
    assert done.returncode == 2
    assert done.stderr == f"armillary: Invalid value for --seed: {number} is no whole number; see armillary --help\n"


@pytest.mark.parametrize(("text", "number"), [("8", 8), ("-2", -2), ("8.0", 8), ("1e3", 1000)])
def test_a_whole_number_may_be_written_as_one_likes(text: str, number: int) -> None:
    _, bound, _ = app["embed"].parse_args(["a.tif", "-o", "o", "--step", text])
    assert bound.arguments["told"].step == number
