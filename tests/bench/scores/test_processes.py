import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.bench.scores.answered import ANSWERS, answered

from armillary.bench.scores.measures import measures
from armillary.bench.scores.processes import gathered, share
from armillary.bench.scores.sums import total

ROOT = Path(__file__).parents[3]
ANSWERING = """
import json, sys
import torch.distributed as dist
from armillary.bench.scores.processes import gathered, share
from armillary.bench.scores.measures import measures, official_of
from armillary.bench.scores.sums import total
from tests.bench.scores.answered import ANSWERS, answered

rank = int(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=rank, world_size=2)
found = []
for answer in ANSWERS:
    given = answered(answer, items=7).per_item
    everyone = gathered([given[i] for i in share(7, rank, 2)])
    found.append([measures(answer, total(everyone)), official_of(answer, everyone, 3)])
print(json.dumps(found))
dist.destroy_process_group()
"""


def test_two_processes_find_the_scores_of_one_to_the_last_bit(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", ANSWERING, str(tmp_path / "meeting")]
    running = [subprocess.Popen([*command, str(rank)], env=env, stdout=subprocess.PIPE, text=True) for rank in range(2)]
    said = [json.loads(process.communicate(timeout=600)[0].splitlines()[-1]) for process in running]
    alone = [measures(answer, total(answered(answer, items=7).per_item)) for answer in ANSWERS]
    np.testing.assert_equal([[scores for scores, _ in found] for found in said], [alone, alone])
    np.testing.assert_equal(said[0], said[1])


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_every_item_is_in_one_share(ranks: int) -> None:
    shares = [list(share(7, rank, ranks)) for rank in range(ranks)]
    assert sorted(item for some in shares for item in some) == list(range(7))


def test_a_process_alone_keeps_what_it_has() -> None:
    items = answered(ANSWERS[0], items=3).per_item
    assert gathered(items) == tuple(items)
