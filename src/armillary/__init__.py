"""Armillary: the open toolkit of Copernicus Earth foundation models.

>>> import armillary as arm
>>> arm.sensors["s2-l1c"].band_names[:3]
('B01', 'B02', 'B03')
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME = {
    "Batch": "armillary.sample.batch",
    "Named": "armillary.earth.bands",
    "Sample": "armillary.sample.sample",
    "Scene": "armillary.scene.scene",
    "Sensor": "armillary.earth.sensors",
    "Spectral": "armillary.earth.bands",
    "Tokens": "armillary.tokens.tokens",
    "Window": "armillary.earth.window",
    "embed": "armillary.product.embed",
    "load_model": "armillary.models.zoo",
    "open": "armillary.scene.open",
    "sensors": "armillary.earth.fleet",
}
"""Public name -> the module that defines it. Nothing is imported before it is asked for."""

__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'armillary' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
