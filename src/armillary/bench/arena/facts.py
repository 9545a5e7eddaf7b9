"""Facts: which program computed a number, on what."""

import platform
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from armillary import __version__

LIBRARIES = ("torch", "numpy", "scikit-learn", "scipy", "rasterio", "h5py")


def environment() -> dict[str, str]:
    """Versions of this program, of Python and of the libraries that decide numbers; the machine and its threads."""
    found = {"armillary": __version__, "python": platform.python_version(), "platform": sys.platform}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found | {"machine": platform.machine(), "threads": str(torch.get_num_threads())}


@lru_cache(maxsize=1)
def revision() -> str | None:
    """Commit of the repository that this package runs from; None where it was installed."""
    for folder in Path(__file__).resolve().parents:
        entry = folder / ".git"
        if entry.exists():
            return _commit(entry)
    return None


def _commit(entry: Path) -> str | None:
    """Of a repository's .git folder, or of the file that stands for it in a further work tree."""
    try:
        git = entry if entry.is_dir() else (entry.parent / entry.read_text().removeprefix("gitdir:").strip())
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        name = head.removeprefix("ref:").strip()
        common = git / "commondir"
        homes = [git, *([git / common.read_text().strip()] if common.is_file() else [])]
        for home in homes:
            if (home / name).is_file():
                return (home / name).read_text().strip()
            packed = home / "packed-refs"
            for line in packed.read_text().splitlines() if packed.is_file() else ():
                if line.endswith(f" {name}"):
                    return line.split()[0]
    except OSError:
        return None
    return None
