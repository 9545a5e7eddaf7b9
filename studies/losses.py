"""Draw the losses of several runs, each begun where the one before it ended, as one picture.

    python studies/losses.py docs/results/pictures/nano-losses.png RUNS/small RUNS/large

Terms that only one run knows begin or end where it does.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from armillary.train.journal import read_journal
from armillary.train.pictures import draw_losses

Facts = dict[int, Mapping[str, float]]

SHOWN = ("loss", "classify", "contrast", "describe", "together", "reconstruct")
SENSORS = ("reconstruct/s2-l2a", "reconstruct/s2-l1c", "reconstruct/s1-grd")
"""Of the sensors with some hundred tiles or more; the others are in the journals."""


def joined(runs: Iterable[Path]) -> tuple[Facts, Facts]:
    """Step over all runs -> what was measured on trained and on held-out places."""
    train: Facts = {}
    held_out: Facts = {}
    begun = 0
    for run in runs:
        known = read_journal(run)
        for part, facts in ((known, train), (read_journal(run, "held_out"), held_out)):
            facts.update({begun + k: {n: x[n] for n in (*SHOWN, *SENSORS) if n in x} for k, x in part.items()})
        begun += max(known) + 1
    return train, held_out


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    draw_losses(Path(sys.argv[1]), *joined(map(Path, sys.argv[2:])))
    print(sys.argv[1])
