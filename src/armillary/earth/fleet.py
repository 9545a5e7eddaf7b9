"""The fleet: every sensor that Armillary knows by name. The only table of sensor facts."""
from collections.abc import Mapping
from types import MappingProxyType
from armillary.earth.sensors import Sensor
sensors: Mapping[str, Sensor] = MappingProxyType({})
