from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from armillary.train.journal import Journal, read_journal
from armillary.train.loop import Step


def written(folder: Path, first: int, stop: int) -> Journal:
    journal = Journal(folder, step=first)
    for i in range(first, stop):
        journal.write(Step(i, 1 / (i + 1), {"s2-l2a": 0.5}, 1e-3, 2.0, 4 * i + 4, 100.0, 0.1))
        if i % 2:
            journal.write_held_out(i, {"loss": 3.0})
    journal.close()
    return journal


def test_what_is_written_is_read(tmp_path: Path) -> None:
    written(tmp_path, 0, 4)
    assert read_journal(tmp_path)[3] == {"loss": 0.25, "s2-l2a": 0.5, "lr": 1e-3, "grad_norm": 2.0}
    assert read_journal(tmp_path, "held_out") == {1: {"loss": 3.0}, 3: {"loss": 3.0}}


@pytest.mark.parametrize("cut", [b"", b'{"step": 7, "tr'])
def test_records_after_the_checkpoint_are_removed_and_nothing_is_there_twice(cut: bytes, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    written(tmp_path / "one", 0, 9)
    written(tmp_path / "two", 0, 7)
    with (tmp_path / "two" / "journal.jsonl").open("ab") as file:
        file.write(cut)
    written(tmp_path / "two", 4, 9)
    for name in ("journal.jsonl", "speed.jsonl"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()


def test_a_run_that_begins_again_at_0_begins_an_empty_journal(tmp_path: Path) -> None:
    written(tmp_path, 0, 4)
    written(tmp_path, 0, 2)
    assert list(read_journal(tmp_path)) == [0, 1]


def test_a_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(Step(0, 1.0, {}, 1e-3, 2.0, 4))
    assert list(read_journal(tmp_path)) == [0]
    journal.close()


def test_tensorboard_has_each_step_once_after_a_resume(tmp_path: Path) -> None:
    written(tmp_path, 0, 7)
    written(tmp_path, 4, 9)
    board = EventAccumulator(str(tmp_path / "tensorboard"))
    board.Reload()
    assert [e.step for e in board.Scalars("train/loss")] == list(range(9))
