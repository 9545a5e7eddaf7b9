"""Law 16: every exception has an exit code and an HTTP status, and is drawn in the tree."""

import inspect

import pytest

from armillary import errors

ALL = [e for _, e in inspect.getmembers(errors, inspect.isclass) if issubclass(e, errors.ArmillaryError)]


@pytest.mark.parametrize("error", ALL, ids=lambda e: e.__name__)
def test_every_error_says_how_a_program_ends_and_what_a_web_client_is_told(error: type[errors.ArmillaryError]) -> None:
    assert error.exit_code in {1, 2}
    assert 400 <= error.http_status < 600


@pytest.mark.parametrize("error", ALL, ids=lambda e: e.__name__)
def test_every_error_is_drawn_in_the_tree(error: type[errors.ArmillaryError]) -> None:
    assert error.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("error", [e for e in ALL if e is not errors.ArmillaryError], ids=lambda e: e.__name__)
def test_every_error_is_also_a_builtin_one(error: type[errors.ArmillaryError]) -> None:
    assert issubclass(error, (ValueError, LookupError, OSError, ImportError))


def test_a_missing_extra_names_the_command_that_brings_it() -> None:
    with pytest.raises(errors.MissingExtra, match=r"pip install 'armillary\[graph\]'"):
        errors.need("no_such_package_anywhere", "graph")
