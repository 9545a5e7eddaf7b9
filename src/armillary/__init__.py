"""Armillary: the open toolkit of Copernicus Earth foundation models.

>>> import armillary as arm
>>> arm.sensors["s2-l1c"].band_names[:3]
('B01', 'B02', 'B03')
"""

import sys
from importlib import import_module
from types import ModuleType

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
    "generate": "armillary.product.generate",
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


class _Package(ModuleType):
    """`arm.generate` is a verb and `armillary.generate` a room: the verb keeps the name, whatever is imported first.

    The room is reached as `from armillary.generate.sampler import sample`.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
