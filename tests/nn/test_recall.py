import torch
from torch import nn

from armillary.nn.recall import Recall


def test_a_value_is_computed_once() -> None:
    recall: Recall[int] = Recall(2)
    calls: list[int] = []
    weight = nn.Parameter(torch.zeros(3))
    for _ in range(3):
        recall.get("key", (weight,), lambda: calls.append(1) or len(calls))
    assert len(calls) == 1


def test_a_changed_weight_is_noticed() -> None:
    recall: Recall[float] = Recall(2)
    weight = nn.Parameter(torch.zeros(3))
    assert recall.get("key", (weight,), lambda: float(weight.sum())) == 0.0
    with torch.no_grad():
        weight.add_(1.0)
    assert recall.get("key", (weight,), lambda: float(weight.sum())) == 3.0


def test_replaced_storage_is_noticed() -> None:
    recall: Recall[float] = Recall(2)
    layer = nn.Linear(2, 2)
    recall.get("key", layer.parameters(), lambda: 0.0)
    layer.double()
    assert recall.get("key", layer.parameters(), lambda: 1.0) == 1.0


def test_the_oldest_value_goes_first() -> None:
    recall: Recall[str] = Recall(2)
    for key in "abc":
        recall.get(key, (), lambda key=key: key)
    assert len(recall) == 2
    assert recall.get("c", (), lambda: "new") == "c"
    assert recall.get("a", (), lambda: "new") == "new"


def test_values_that_weigh_leave_room_for_the_newest() -> None:
    recall: Recall[str] = Recall(4, len)
    for word in ("a", "bb", "ccc"):
        recall.get(word, (), lambda word=word: word)
    assert [recall.get(word, (), lambda: "new") for word in ("ccc", "bb")] == ["ccc", "new"]


def test_a_value_that_is_too_heavy_is_not_kept_and_drives_nothing_out() -> None:
    recall: Recall[str] = Recall(3, len)
    recall.get("light", (), lambda: "a")
    assert recall.get("key", (), lambda: "heavy") == "heavy"
    assert recall.get("light", (), lambda: "new") == "a"


def test_what_is_computed_in_inference_mode_can_be_used_outside() -> None:
    recall: Recall[torch.Tensor] = Recall(1)
    with torch.inference_mode():
        kept = recall.get("key", (), lambda: torch.ones(2))
    x = torch.ones(2, requires_grad=True)
    (x * kept).sum().backward()
    assert x.grad is not None
