"""Train copernicus-fm-nano as it was trained: two runs on the corpus, each resumable.

python studies/corpus.py DATA CORPUS           decode the real imagery once
python studies/cloud_teacher.py CORPUS CACHE   ask the cloud network once (see there what it needs)
python studies/nano.py CORPUS CACHE LABELS RUNS   RUNS/small, then RUNS/large; LABELS is s2_l2a_weak's labels.csv
python studies/ship.py RUNS/large RUNS/small   the files that ship
"""

import argparse
from pathlib import Path

import torch
from rich.progress import Progress

from armillary.recipes.nano import LARGE, SMALL, nano_job
from armillary.train.run import WEIGHTS, run


def main() -> None:
    """Both runs; one that is finished is left alone, one that was stopped goes on."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("corpus", type=Path)
    said.add_argument("cache", type=Path)
    said.add_argument("labels", type=Path)
    said.add_argument("runs", type=Path)
    said.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = said.parse_args()
    torch.set_num_threads(given.threads)
    small, large = given.runs / "small", given.runs / "large"
    for folder, config, begin in ((small, SMALL, None), (large, LARGE, small)):
        if (folder / WEIGHTS).is_file():
            continue
        job = nano_job(given.corpus, given.cache, config, begin=begin, labels=given.labels)
        with Progress() as bar:
            task = bar.add_task(folder.name, total=config.steps)
            for progress in run(job, folder, resume=folder.exists()):
                bar.update(task, completed=0 if progress.step is None else progress.step.index + 1)
                if progress.held_out:
                    bar.console.print({k: round(v, 4) for k, v in progress.held_out.items()})


if __name__ == "__main__":
    main()
