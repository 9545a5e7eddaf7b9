"""Every error that Armillary raises, and what each means to a shell and to a web client.

    ArmillaryError
    ├── BadInput (ValueError)            the request itself cannot be right
    │   ├── BandMismatch                 bands asked for and bands found differ
    │   ├── SensorUnknown (LookupError)  no sensor of that name, or none could be recognised
    │   ├── PlaceUnknown                 a georeferenced product was asked of pixels without a place
    │   ├── VectorMissing (LookupError)  no language vector is known for a named band
    │   └── OutOfRange                   a number lies outside what the method is defined on
    ├── SceneNotFound (FileNotFoundError)   nothing is there
    ├── SceneUnreadable (OSError)        something is there, but it is not a whole, readable scene
    ├── EmptyScene (ValueError)          readable, but not one valid pixel
    ├── WeightsMismatch (ValueError)     a weight file's keys or shapes are not the model's
    ├── StatisticsMissing (LookupError)  the model was never told how to normalise this sensor
    ├── WeightsMissing (FileNotFoundError)  no weight file is there, or none can be fetched
    ├── OutputRefused (OSError)          the product cannot be written where it was asked for
    ├── Diverged (ValueError)            a training's loss is no number any more
    └── MissingExtra (ImportError)       an optional package is not installed

A message says what was asked, what was found and what to do.
"""

import importlib
from types import ModuleType


class ArmillaryError(Exception):
    """Root of every error raised on purpose."""

    exit_code = 1
    http_status = 500


class BadInput(ArmillaryError, ValueError):
    """The request itself cannot be right."""

    exit_code = 2
    http_status = 422


class BandMismatch(BadInput):
    """Bands asked for and bands found differ."""


class SensorUnknown(BadInput, LookupError):
    """No sensor of that name, or none could be recognised."""


class PlaceUnknown(BadInput):
    """A georeferenced product was asked of pixels without a place."""


class OutOfRange(BadInput):
    """A number lies outside what the method is defined on."""


class SceneNotFound(ArmillaryError, FileNotFoundError):
    """Nothing is there."""

    exit_code = 2
    http_status = 404


class SceneUnreadable(ArmillaryError, OSError):
    """Something is there, but it is not a whole, readable scene."""

    exit_code = 2
    http_status = 422


class EmptyScene(BadInput):
    """The scene is readable, but holds not one valid pixel."""


class WeightsMismatch(BadInput):
    """A weight file's keys or shapes are not the model's."""


class StatisticsMissing(BadInput, LookupError):
    """The model was never told how to normalise this sensor."""


class VectorMissing(BadInput, LookupError):
    """No language vector is known for a named band."""


class WeightsMissing(ArmillaryError, FileNotFoundError):
    """No weight file is there, or none can be fetched."""

    exit_code = 2
    http_status = 404


class OutputRefused(ArmillaryError, OSError):
    """The product cannot be written where it was asked for."""

    exit_code = 2
    http_status = 409


class Diverged(ArmillaryError, ValueError):
    """A training's loss or gradient is no finite number any more."""


class MissingExtra(ArmillaryError, ImportError):
    """An optional package is not installed."""

    exit_code = 2
    http_status = 501


def need(module: str, extra: str) -> ModuleType:
    """Import an optional package, or say in one sentence which extra brings it."""
    try:
        return importlib.import_module(module)
    except ImportError as cause:
        raise MissingExtra(
            f"{module} is needed here and is not installed; run: pip install 'armillary[{extra}]'"
        ) from cause
