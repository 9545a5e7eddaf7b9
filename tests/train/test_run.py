import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
import torch
import yaml
from safetensors.torch import load_file
from tests.train.job import RARE, small_job

from armillary.errors import BadInput, OutputRefused, SceneUnreadable
from armillary.train.config import TrainConfig, read
from armillary.train.journal import read_journal
from armillary.train.run import run

SCRIPT = Path(__file__).with_name("job.py")


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(SCRIPT), str(folder), *words]
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}  # as many as here, where other tests may have set it
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **threads}
    )


def finish(folder: Path, *words: str) -> None:
    process = start(folder, *words)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "weights.safetensors")


def equal(one: Path, two: Path) -> bool:
    a, b = weights(one), weights(two)
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    list(run(small_job(), folder))
    return folder


def test_a_run_folder_holds_all_that_decided_it_and_all_that_came_of_it(whole: Path) -> None:
    names = {p.name for p in whole.iterdir()}
    assert names >= {"config.yaml", "about.json", "journal.jsonl", "speed.jsonl", "tensorboard", "weights.safetensors"}
    assert read(TrainConfig, whole / "config.yaml") == small_job().config
    about = json.loads((whole / "about.json").read_text())
    assert about["data"] == {"train": "invented-7-8", "places": 7, "held_out": "invented-4-8"}
    assert {"armillary", "torch"} <= about["versions"].keys()
    assert list((whole / "tensorboard").glob("events*"))
    assert (whole / "pictures" / "losses.png").stat().st_size > 10_000


def test_the_journal_has_every_step_and_the_held_out_loss_falls(whole: Path) -> None:
    assert list(read_journal(whole, "train")) == list(range(12))
    held_out = read_journal(whole, "held_out")
    assert list(held_out) == [-1, 4, 9, 11]
    assert held_out[11]["loss"] < held_out[-1]["loss"]


def test_only_the_last_checkpoints_are_kept(whole: Path) -> None:
    assert sorted(p.name for p in (whole / "checkpoints").iterdir()) == ["step-00000009", "step-00000012"]


def test_the_weights_are_the_averages(whole: Path) -> None:
    averages = load_file(whole / "checkpoints" / "step-00000012" / "ema.safetensors")
    kept = weights(whole)
    assert all(torch.equal(kept[n], t) for n, t in averages.items())


def test_killed_and_resumed_is_uninterrupted_to_the_byte(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(folder, "--pause", "0.2")
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) == 7:  # two steps after the checkpoint of 6 steps
            os.kill(process.pid, signal.SIGKILL)
            break
    process.communicate(timeout=60)
    assert len(read_journal(folder)) >= 8
    assert not (folder / "weights.safetensors").exists()
    finish(folder, "--resume")
    assert equal(folder, whole)
    assert (folder / "journal.jsonl").read_bytes() == (whole / "journal.jsonl").read_bytes()


def test_stopped_and_resumed_is_uninterrupted_to_the_byte(whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    list(run(small_job(), folder, stop=lambda: _after(folder, 4)))
    assert (folder / "checkpoints" / "step-00000005").is_dir()
    list(run(small_job("workers=1"), folder, resume=True))
    assert equal(folder, whole)
    assert (folder / "journal.jsonl").read_bytes() == (whole / "journal.jsonl").read_bytes()


def _after(folder: Path, step: int) -> bool:
    return max(read_journal(folder)) >= step


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "run"
    list(run(small_job(), folder, stop=lambda: _after(folder, 8)))
    with (folder / "checkpoints" / "step-00000009" / "model.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"oops")
    list(run(small_job(), folder, resume=True))
    assert "step-00000009 is damaged (model.safetensors has changed since it was written)" in caplog.text
    assert equal(folder, whole)
    assert (folder / "journal.jsonl").read_bytes() == (whole / "journal.jsonl").read_bytes()


def test_resuming_where_nothing_is_begins(whole: Path, tmp_path: Path) -> None:
    list(run(small_job(), tmp_path / "run", resume=True))
    assert equal(tmp_path / "run", whole)


def test_a_folder_that_holds_a_run_is_not_written_over(whole: Path) -> None:
    with pytest.raises(BadInput, match="--resume goes on with it"):
        list(run(small_job(), whole))


def test_another_configuration_does_not_go_on_with_a_run(whole: Path) -> None:
    with pytest.raises(BadInput, match=r"optim\.lr was 0\.01, now 0\.5"):
        list(run(small_job("optim.lr=0.5"), whole, resume=True))


def test_other_data_do_not_go_on_with_a_run(tmp_path: Path, whole: Path) -> None:
    about = json.loads((whole / "about.json").read_text())
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text((whole / "config.yaml").read_text())
    (tmp_path / "run" / "about.json").write_text(json.dumps(about | {"data": {"train": "other"}}))
    with pytest.raises(BadInput, match="the data were"):
        list(run(small_job(), tmp_path / "run", resume=True))


def test_a_folder_that_cannot_be_made_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputRefused, match=r"cannot be written .*choose another -o"):
        list(run(small_job(), tmp_path / "file" / "run"))


def test_a_configuration_file_begins_with_how_it_was_made(whole: Path) -> None:
    text = (whole / "config.yaml").read_text()
    assert text.startswith("# armillary train reconstruction\n")
    assert yaml.safe_load(text)["optim"]["betas"] == [0.9, 0.95]


TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize(
    ("launcher", "words"), [(TORCHRUN, ()), (TORCHRUN, ("strategy=fsdp",)), ((), ("devices=2",))], ids=str
)
def test_two_processes_of_which_one_lacks_a_sensor_are_one(
    launcher: tuple[str, ...], words: tuple[str, ...], tmp_path: Path
) -> None:
    list(run(small_job(dropout=0.0, source=RARE), tmp_path / "one"))
    command = [sys.executable, *launcher, str(SCRIPT), str(tmp_path / "two"), "--rare", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two = (read_journal(tmp_path / name) for name in ("one", "two"))
    assert one.keys() == two.keys()
    for step, facts in one.items():
        for name, value in facts.items():
            assert two[step][name] == pytest.approx(value, rel=2e-5), (step, name)
    for name, tensor in weights(tmp_path / "one").items():
        torch.testing.assert_close(weights(tmp_path / "two")[name], tensor, atol=1e-6, rtol=1e-5)


def _refuses() -> NoReturn:
    raise SceneUnreadable("the shard is damaged; write the tiles again")


@pytest.mark.parametrize("before", [None, (), ("notes.txt", "pictures/mine.png")])
def test_a_run_whose_data_are_refused_leaves_what_was_there_before(
    before: tuple[str, ...] | None, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    if before is not None:
        folder.mkdir()
    for name in before or ():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    with pytest.raises(SceneUnreadable):
        list(run(replace(small_job(), build=_refuses), folder))
    assert folder.exists() == (before is not None)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == set(before or ())


def test_a_run_that_goes_on_and_is_refused_keeps_its_folder(tmp_path: Path) -> None:
    run_of = lambda job, **how: list(run(job, tmp_path / "run", **how))  # noqa: E731
    run_of(small_job(), stop=lambda: True)
    kept = sorted(p.name for p in (tmp_path / "run").iterdir())
    with pytest.raises(SceneUnreadable):
        run_of(replace(small_job(), build=_refuses), resume=True)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == kept
