import threading
from pathlib import Path

import pytest

from armillary.alone import alone
from armillary.errors import OutputRefused


def test_a_folder_that_is_held_is_refused_to_others_and_free_afterwards(tmp_path: Path) -> None:
    with alone(tmp_path / "run"), pytest.raises(OutputRefused, match="another run"):
        alone(tmp_path / "run").__enter__()
    with alone(tmp_path / "run"):
        pass


def test_who_waits_goes_on_when_the_other_lets_go(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with alone(tmp_path, wait=True):
            order.append("second")

    with alone(tmp_path):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.2)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputRefused, match="file"), alone(tmp_path / "file"):
        pass


def test_many_that_wait_are_never_two_at_once(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            with alone(tmp_path / "shared", wait=True):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most == [1] * 80
    assert not (tmp_path / "shared").exists()
