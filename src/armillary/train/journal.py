"""Journal: what every step did, as lines of JSON and for TensorBoard.

    journal.jsonl   what was computed: loss, terms, learning rate; equal runs have equal journals, to the byte
    speed.jsonl     what the clock said: samples per second, share of the time spent waiting for data
    tensorboard/    both

A line is flushed when it is written. A run that goes on after step k first removes what was written after step k.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from armillary.train.checkpoint import refusal
from armillary.train.loop import Step

JOURNAL, SPEED, BOARD = "journal.jsonl", "speed.jsonl", "tensorboard"


class Journal:
    """The journal of a run.

    Args:
        folder: of the run.
        step: how many steps are done; records of later ones are removed, and all of them when it is 0.
    """

    def __init__(self, folder: Path, *, step: int = 0) -> None:
        try:
            for name in (JOURNAL, SPEED):
                _truncate(folder / name, step)
            self._files = {name: (folder / name).open("a", encoding="utf-8") for name in (JOURNAL, SPEED)}
            self._board = SummaryWriter(str(folder / BOARD), purge_step=step)
        except OSError as cause:
            raise refusal(folder, cause) from cause

    def write(self, step: Step) -> None:
        """Record a step."""
        facts = {"loss": step.loss, **step.terms, "lr": step.lr, "grad_norm": step.grad_norm}
        pace = {"samples_per_s": round(step.samples_per_s, 3), "waiting": round(step.waiting, 4)}
        self._line(JOURNAL, {"step": step.index, "samples": step.samples, "train": facts})
        self._line(SPEED, {"step": step.index, **pace})
        for name, value in {**facts, **pace}.items():
            self._board.add_scalar(f"train/{name}", value, step.index)

    def write_held_out(self, index: int, facts: Mapping[str, float]) -> None:
        """Record an evaluation that followed the step of this index; -1 is before the first."""
        self._line(JOURNAL, {"step": index, "held_out": dict(facts)})
        for name, value in facts.items():
            self._board.add_scalar(f"held_out/{name}", value, index)

    def close(self) -> None:
        """Let go of the files."""
        for file in self._files.values():
            file.close()
        self._board.close()

    def _line(self, name: str, record: Mapping[str, object]) -> None:
        file = self._files[name]
        try:
            file.write(json.dumps(record) + "\n")
            file.flush()
        except OSError as cause:
            raise refusal(Path(file.name), cause) from cause


def read_journal(folder: Path, part: str = "train") -> dict[int, Mapping[str, float]]:
    """Step -> what was recorded of it: "train" for every step, "held_out" for evaluations."""
    lines = (folder / JOURNAL).read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return {r["step"]: r[part] for r in records if part in r}


def _truncate(path: Path, step: int) -> None:
    """Keep the records of steps before `step`; a last line that was cut short goes with the rest."""
    if not path.exists():
        return
    kept = 0
    with path.open("rb") as file:
        for line in file:
            try:
                if step == 0 or not line.endswith(b"\n") or int(json.loads(line)["step"]) >= step:
                    break
            except (ValueError, KeyError, TypeError):
                break
            kept += len(line)
    with path.open("r+b") as file:
        file.truncate(kept)
