"""Flags that every verb spells the same way."""

from typing import Annotated

from cyclopts import Parameter

Json = Annotated[bool, Parameter(name="--json", negative="")]
"""Print one JSON object on stdout, for programs."""
