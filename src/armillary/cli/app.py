"""`armillary VERB`: the table of verbs, and how an error leaves the program.

Each verb lives in its own file and is imported only when it is run, so that `armillary --help` answers at once.
Bad input ends with exit code 2 and one sentence on stderr that says what was asked, what was found and what to do.
"""

import logging
import sys
import warnings
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from armillary import __version__
from armillary.errors import ArmillaryError

VERBS = {
    "demo": ("Embed one scene of each sensor and write a report. Needs no network.", "demo -o demo-output"),
    "info": ("Print what a model will see of a file: sensor, bands, units, place, time.", "info scene.tif"),
    "open": ("Read a scene of any layout and write it as one GeoTIFF in physical units.", "open S3A.SEN3 -o olci.tif"),
    "embed": (
        "Turn a scene into a georeferenced map of embeddings.",
        "embed S2A.SAFE -o out",
    ),
    "generate": (
        "Generate what other sensors might have seen of a place; synthetic, and says so.",
        "generate s1_rtc.tif --to s2-l2a,dem --samples 8 -o out",
    ),
    "train": (
        "Train a model by a recipe; stop and resume at any time, on one process or many.",
        "train copernicus-fm -o run optim.lr=1e-4 steps=2000",
    ),
    "build": (
        "Build Copernicus-Pretrain from scenes, turn one of its layouts into the other, check it; or label scenes.",
        "build scenes -o data --layout shards",
    ),
    "bench": (
        "Ask encoders the tasks of a benchmark, beside baselines, with intervals and seeds.",
        "bench run --suite copernicus --model copernicus-fm-nano --data DIR -o OUT",
    ),
    "doctor": ("Say what this installation can do on this machine.", "doctor --json"),
}
"""Verb -> the line that `armillary --help` shows, and an example. The function is armillary.cli.<verb>:<verb>."""

app = App(
    name="armillary",
    help="The open toolkit of Copernicus Earth foundation models: any Sentinel sensor in, georeferenced products out.",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # `main` says how to go on
)
for verb, (line, example) in VERBS.items():
    app.command(f"armillary.cli.{verb}:{verb}", name=verb, help=f"{line}\n\nExample: armillary {example}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one verb and leave with its exit code."""
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
    warnings.showwarning = _one_line
    try:
        app(argv, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _complain(error, "see armillary --help")
        sys.exit(2)
    except ArmillaryError as error:
        _complain(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("armillary: stopped; run again with --resume to go on", file=sys.stderr)
        sys.exit(130)


def _complain(error: Exception, remedy: str = "") -> None:
    """One line, whatever the error's text looks like."""
    sentence = " ".join(str(error).split())
    print(f"armillary: {sentence.rstrip('.') + '; ' + remedy if remedy else sentence}", file=sys.stderr)


def _one_line(message: Warning | str, *_: object, **__: object) -> None:
    print(f"warning: {message}", file=sys.stderr)
