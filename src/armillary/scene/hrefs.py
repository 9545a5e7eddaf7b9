"""Hrefs: where imagery lies, as a path or as the name by which GDAL fetches it."""

import os
from pathlib import Path
from urllib.parse import unquote, urlparse


def local(href: str | os.PathLike[str]) -> Path:
    """The path behind a path, its text, or a file:// URL."""
    text = os.fspath(href)
    return Path(unquote(urlparse(text).path)) if text.startswith("file://") else Path(text).expanduser()


def is_remote(text: str) -> bool:
    """True for what GDAL must fetch: http(s), s3, gs, az, and any /vsi path."""
    return text.startswith(("http://", "https://", "s3://", "gs://", "az://", "/vsi"))


def gdal_name(text: str) -> str:
    """The /vsi name of a URL.

    Example:
        >>> gdal_name("https://a.org/x.tif"), gdal_name("s3://bucket/x.tif")
        ('/vsicurl/https://a.org/x.tif', '/vsis3/bucket/x.tif')
    """
    if text.startswith(("http://", "https://")):
        return f"/vsicurl/{text}"
    scheme, _, rest = text.partition("://")
    return f"/vsi{scheme}/{rest}" if rest else text
