"""When: dates as products write them, always timezone-aware UTC.

*Days* are days since 1970-01-01T00:00Z, the time that Copernicus-FM is given (arXiv:2503.11849).
"""

import re
from datetime import UTC, date, datetime, timedelta

from armillary.errors import BadInput, OutOfRange

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COMPACT = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(?!\d)", re.IGNORECASE)
_DASHED = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?:T(\d{2})[:-]?(\d{2})[:-]?(\d{2})(?!\d))?", re.IGNORECASE)
_DAY = re.compile(r"(?<!\d)(\d{4})(\d{2})(\d{2})(?!\d)")
_FIRST_YEAR, _LAST_YEAR = 1970, 2100


def parse_time(text: str) -> datetime:
    """A time from ISO 8601, or the first one in a product id, a datatake or a file name.

    ISO text without an offset is UTC; digits beyond microseconds are dropped. In a product id the first time is the
    start of sensing (Sentinel-1, -3, -5P) or of the datatake (Sentinel-2).

    Raises:
        BadInput: no date in the text.

    Example:
        >>> parse_time("2022-07-06T10:56:11.024+02:00").isoformat()
        '2022-07-06T08:56:11.024000+00:00'
        >>> parse_time("S2A_MSIL2A_20220706T085611_N0400_R007_T33NZA_20220706T153419").isoformat()
        '2022-07-06T08:56:11+00:00'
    """
    found = parse_iso(text) or find_time(text)
    if found is None:
        raise BadInput(f"no date was found in {text!r}; write it as ISO 8601, for example 2022-07-06T08:56:11Z")
    return found


def parse_iso(text: str) -> datetime | None:
    """A time from text that is ISO 8601 and nothing else, None for any other; without an offset it is UTC.

    Example:
        >>> parse_iso("2022-07-06T10:56:11.024000123+02:00").isoformat(), parse_iso("a 2022-07-06")
        ('2022-07-06T08:56:11.024000+00:00', None)
    """
    plain = re.sub(r"^UTC=", "", text.strip()).upper()
    plain = re.sub(r"([.,]\d{6})\d+", r"\1", plain)
    if re.match(r"\d{4}-\d{2}-\d{2}", plain) is None and re.fullmatch(r"\d{8}(T\d{6}(\.\d+)?Z?)?", plain) is None:
        return None
    try:
        return as_utc(datetime.fromisoformat(plain))
    except (ValueError, OverflowError):
        return None


def find_time(name: str) -> datetime | None:
    """The first date in a name (with its time of day when one follows), None when there is none.

    Example:
        >>> find_time("GS2A_20160616T143752_005136_N02.04").isoformat(), find_time("dem.tif")
        ('2016-06-16T14:37:52+00:00', None)
        >>> find_time("S5P/2021-01-01_2021-02-01.tif").isoformat()
        '2021-01-01T00:00:00+00:00'
    """
    for pattern in (_COMPACT, _DASHED, _DAY):
        for match in pattern.finditer(name):
            time = _valid([int(g) for g in match.groups() if g is not None])
            if time is not None:
                return time
    return None


def to_days(time: datetime) -> float:
    """Days since 1970-01-01; a naive time is UTC.

    Example:
        >>> to_days(datetime(1970, 1, 2, 12, tzinfo=UTC))
        1.5
    """
    return (as_utc(time) - EPOCH) / timedelta(days=1)


def from_days(days: float | int) -> datetime:
    """The time that many days after 1970-01-01, to the microsecond.

    Example:
        >>> from_days(1.5).isoformat()
        '1970-01-02T12:00:00+00:00'
    """
    try:
        return EPOCH + timedelta(days=days)
    except (OverflowError, ValueError) as cause:
        raise OutOfRange(f"{days} days since 1970 is no date; give a finite number of days") from cause


def as_utc(time: datetime) -> datetime:
    """The same instant in UTC; a naive time is taken as UTC."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def iso(time: datetime) -> str:
    """ISO 8601 in UTC.

    Example:
        >>> iso(datetime(2022, 7, 6, 8, 56, 11, tzinfo=UTC))
        '2022-07-06T08:56:11Z'
    """
    return as_utc(time).isoformat().replace("+00:00", "Z")


def utc(value: object) -> datetime:
    """A timezone-aware UTC time from ISO 8601 text, a datetime, a date or a numpy datetime64; naive times are UTC.

    Raises:
        BadInput: it is no time.
    """
    if isinstance(value, datetime):
        return as_utc(value)
    time = parse_iso(value.isoformat() if isinstance(value, date) else str(value))
    if time is None:
        raise BadInput(f"{value!r} is no time; write it as ISO 8601, for example 2022-07-06T08:56:11Z")
    return time


def _valid(parts: list[int]) -> datetime | None:
    """A datetime of year, month, day and, perhaps, hour, minute, second, when they are a plausible one."""
    year, month, day, *rest = parts
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    hour, minute, second = rest or (0, 0, 0)
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
