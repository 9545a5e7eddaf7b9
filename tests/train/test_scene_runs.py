"""Runs of scene contrast: two processes are one, and a run goes on where it was stopped."""

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.train.scene_job import scene_job

from armillary.train.checkpoint import load_last
from armillary.train.journal import read_journal
from armillary.train.run import run

SCRIPT = Path(__file__).with_name("scene_job.py")
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.parametrize(
    ("words", "radar"),
    [
        (("learn=softcon", "steps=5"), False),
        (("learn=supcon", "steps=3"), False),
        (("learn=info-nce", "steps=3"), True),
    ],
)
def test_two_processes_with_half_a_batch_each_are_one_with_all_of_it(
    words: tuple[str, ...], radar: bool, tmp_path: Path
) -> None:
    list(run(scene_job(*words, radar=radar), tmp_path / "one"))
    command = [sys.executable, *TORCHRUN, str(SCRIPT), str(tmp_path / "two"), *words, *(["--radar"] if radar else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("train", "held_out"):
        one, two = (read_journal(tmp_path / name, part) for name in ("one", "two"))
        assert one.keys() == two.keys()
        for step, facts in one.items():
            assert facts.keys() == two[step].keys()
            for name, value in facts.items():
                assert two[step][name] == pytest.approx(value, rel=2e-4, abs=1e-5), (part, step, name)
    one, two = (load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        off = 1e-4  # a thirtieth of one step of Adam, where gradients are next to nothing
        torch.testing.assert_close(felt(name, two[name]), felt(name, tensor), atol=off, rtol=1e-3)


def felt(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Without the biases of keys: attention does not feel them, so Adam makes steps of the noise of their gradients."""
    return torch.cat(tensor.chunk(3)[::2]) if name.endswith("qkv.bias") else tensor


def test_queue_and_momentum_encoder_go_on_with_a_run_that_was_stopped(tmp_path: Path) -> None:
    list(run(scene_job(), tmp_path / "whole"))
    list(islice(run(scene_job(), tmp_path / "cut", stop=lambda: True), 2))
    kept = load_last(tmp_path / "cut" / "checkpoints")
    assert kept is not None
    assert kept.step == 1
    names = kept.tensors["model"].keys()
    assert {"queue.keys", "queue.labels", "queue.places", "queue.at", "slow.followed"} <= names
    assert any(name.startswith("slow.encoder/trunk") for name in names)
    list(run(scene_job(), tmp_path / "cut", resume=True))
    whole, cut = (load_last(tmp_path / name / "checkpoints") for name in ("whole", "cut"))
    assert whole is not None
    assert cut is not None
    for name, tensor in whole.tensors["model"].items():
        torch.testing.assert_close(cut.tensors["model"][name], tensor, rtol=0, atol=0, equal_nan=True)
    assert read_journal(tmp_path / "whole") == read_journal(tmp_path / "cut")


def test_every_evaluation_tells_the_health_of_embeddings_and_the_positive_rate(tmp_path: Path) -> None:
    list(run(scene_job("steps=2", "queue=0"), tmp_path / "run"))
    facts = read_journal(tmp_path / "run", "held_out")[1]
    health = {"health/alignment", "health/uniformity", "health/effective-rank", "health/sensor-gap"}
    assert health | {"positive-rate", "contrast", "soft", "loss"} == facts.keys()
    assert (tmp_path / "run" / "pictures" / "health.png").stat().st_size > 5_000
