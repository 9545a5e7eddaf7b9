import errno
import json
from pathlib import Path

import pytest
import torch

from armillary.errors import BadInput, OutputRefused
from armillary.train import checkpoint
from armillary.train.checkpoint import Checkpoint, load_last, save


def made(step: int) -> Checkpoint:
    tensors = {"model": {"a": torch.full((3, 2), float(step)), "n": torch.tensor(step)}, "optim": {}, "ema": {}}
    return Checkpoint(step, tensors, {"lr": 0.1})


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    save(tmp_path, made(5), keep=1)
    found = load_last(tmp_path)
    assert found is not None
    assert (found.step, found.config) == (5, {"lr": 0.1})
    assert torch.equal(found.tensors["model"]["a"], torch.full((3, 2), 5.0))
    assert torch.equal(found.tensors["model"]["n"], torch.tensor(5))


def test_no_folder_and_no_checkpoint_are_none(tmp_path: Path) -> None:
    assert load_last(tmp_path / "absent") is None
    assert load_last(tmp_path) is None


def test_half_written_checkpoints_are_not_seen(tmp_path: Path) -> None:
    save(tmp_path, made(5), keep=1)
    (tmp_path / ".step-00000009.part").mkdir()
    found = load_last(tmp_path)
    assert found is not None
    assert found.step == 5


@pytest.mark.parametrize("damage", ["cut", "changed", "absent", "state"])
def test_a_damaged_checkpoint_falls_back_with_a_sentence(
    damage: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    save(tmp_path, made(5), keep=2)
    last = save(tmp_path, made(9), keep=2)
    file = last / "model.safetensors"
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[:-3])
    elif damage == "changed":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "absent":
        file.unlink()
    else:
        (last / "state.json").write_text('{"format": 1, "st')
    found = load_last(tmp_path)
    assert found is not None
    assert found.step == 5
    assert len(caplog.records) == 1
    assert "step-00000009 is damaged" in caplog.text


def test_when_none_is_whole_that_is_said(tmp_path: Path) -> None:
    last = save(tmp_path, made(9), keep=2)
    (last / "state.json").unlink()
    with pytest.raises(BadInput, match="none of the 1 checkpoints"):
        load_last(tmp_path)


def test_a_checkpoint_of_a_later_layout_is_not_guessed_at(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = save(tmp_path, made(9), keep=2) / "state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"format": 2}))
    with pytest.raises(BadInput):
        load_last(tmp_path)
    assert "its format is 2" in caplog.text


def test_a_full_disk_is_said_and_leaves_the_last_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, made(5), keep=1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OutputRefused, match=r"No space left on device.*free some space.*--resume"):
        save(tmp_path, made(9), keep=1)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-00000005"]


def test_the_same_step_can_be_written_again(tmp_path: Path) -> None:
    save(tmp_path, made(5), keep=1)
    save(tmp_path, made(5), keep=1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000005"]
