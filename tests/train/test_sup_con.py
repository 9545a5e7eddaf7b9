"""SupCon and the sigmoid loss against loops over pairs, as the papers write them."""

import math

import pytest
import torch
from torch.nn.functional import normalize
from torch.testing import assert_close

from armillary.train.contrast import info_nce, likeness, sigmoid_contrast, sup_con, weighted_contrast

CLASSES = (0, 1, 0, 2, 1)


def views(b: int = 5, v: int = 2, d: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randn(b, v, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def same_class(classes: tuple[int, ...] = CLASSES) -> torch.Tensor:
    of = torch.tensor(classes)
    return of[:, None] == of[None]


def by_loop(z: torch.Tensor, alike: torch.Tensor, t: float, base: float, anchors: int) -> list[tuple[float, float]]:
    b, v, _ = z.shape
    rows = [(i, k) for k in range(v) for i in range(b)]
    unit = {(i, k): normalize(z[i, k], dim=0) for i, k in rows}
    out = []
    for a in rows[: b * anchors]:
        others = [r for r in rows if r != a]
        whole = sum(math.exp(float(unit[a] @ unit[r]) / t) for r in others)
        weights = {r: float(alike[a[0], r[0]]) for r in others if float(alike[a[0], r[0]]) > 0}
        told = sum(w * math.log(math.exp(float(unit[a] @ unit[r]) / t) / whole) for r, w in weights.items())
        out.append((-t / base * told / sum(weights.values()), 1.0) if weights else (0.0, 0.0))
    return out


@pytest.mark.parametrize("v", [1, 2, 3])
@pytest.mark.parametrize(("t", "base"), [(0.07, 0.07), (0.2, 0.07)])
def test_sup_con_equals_a_loop_over_anchors_and_positives(v: int, t: float, base: float) -> None:
    z = views(v=v)
    sums, counts = sup_con(z, same_class(), temperature=t, base_temperature=base)
    expected = torch.tensor(by_loop(z, same_class(), t, base, v), dtype=torch.float64)
    assert_close(torch.stack([sums, counts], dim=1), expected)


def test_any_table_of_weights_may_say_who_is_positive_symmetric_or_not() -> None:
    z = views()
    alike = torch.rand(5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alike[2] = 0  # an anchor without a positive
    alike[0, 0] = 0  # whose own other view is none
    sums, counts = sup_con(z, alike, temperature=0.3, base_temperature=0.3)
    assert_close(torch.stack([sums, counts], 1), torch.tensor(by_loop(z, alike, 0.3, 0.3, 2), dtype=torch.float64))


def test_with_one_anchor_per_item_only_first_views_ask() -> None:
    z = views()
    sums, _ = sup_con(z, same_class(), temperature=0.2, base_temperature=0.2, anchors="one")
    assert_close(sums, sup_con(z, same_class(), temperature=0.2, base_temperature=0.2)[0][:5])


def test_without_labels_it_is_info_nce_with_items_as_places() -> None:
    z = views()
    places = tuple("abcde") * 2
    flat = torch.cat([z[:, 0], z[:, 1]])
    expected = info_nce(flat, places, temperature=0.2)[0]
    assert_close(sup_con(z, torch.eye(5, dtype=torch.bool), temperature=0.2, base_temperature=0.2)[0], expected)


def test_the_base_temperature_scales_and_by_default_does_not() -> None:
    z = views()
    plain = sup_con(z, same_class(), temperature=0.2)[0]
    assert_close(sup_con(z, same_class(), temperature=0.2, base_temperature=0.1)[0], plain * 2)
    assert_close(sup_con(z, same_class(), temperature=0.2, base_temperature=0.2)[0], plain)


def test_gradients_of_sup_con_are_those_of_differences() -> None:
    z = views(b=4, d=3).requires_grad_()
    alike = same_class(CLASSES[:4])
    assert torch.autograd.gradcheck(lambda x: sup_con(x, alike, temperature=0.5)[0], (z,))


def test_reordered_items_have_reordered_losses() -> None:
    z, order = views(), torch.tensor([3, 0, 4, 2, 1])
    alike = same_class()
    losses = sup_con(z, alike, temperature=0.2)[0].view(2, 5)
    shuffled = sup_con(z[order], alike[order][:, order], temperature=0.2)[0].view(2, 5)
    assert_close(shuffled, losses[:, order])


def test_keys_outside_the_denominator_change_nothing() -> None:
    z = views(b=4, v=1)[:, 0]
    logits, weights, among = likeness(z, z), torch.eye(4, dtype=torch.float64), torch.ones(4, 4, dtype=torch.bool)
    among[:, 3] = False
    narrow = weighted_contrast(logits[:3, :3], weights[:3, :3], among[:3, :3])[0]
    assert_close(weighted_contrast(logits[:3], weights[:3], among[:3])[0], narrow)


def test_the_sigmoid_loss_equals_a_loop_over_pairs() -> None:
    z = views()
    logits = likeness(z[:, 0], z[:, 1]) * 10 - 10
    same = torch.eye(5, dtype=torch.bool)
    sums, counts = sigmoid_contrast(logits, same)
    loop = [
        -sum(math.log(1 / (1 + math.exp((-1 if i == j else 1) * float(logits[i, j])))) for j in range(5))
        for i in range(5)
    ]
    assert_close(sums, torch.tensor(loop, dtype=torch.float64))
    assert counts.tolist() == [1.0] * 5


def test_gradients_of_the_sigmoid_loss_are_those_of_differences() -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    same = torch.eye(3, 4, dtype=torch.bool)
    assert torch.autograd.gradcheck(lambda x: sigmoid_contrast(x, same)[0], (logits,))


def test_autocast_does_not_blur_a_likeness() -> None:
    z = views().float()[:, 0]
    with torch.autocast("cpu", torch.bfloat16):
        found = likeness(z, z)
    assert found.dtype == torch.float32
    assert_close(found, likeness(z, z))
    assert_close(likeness(z.bfloat16(), z.bfloat16()), likeness(z.bfloat16().float(), z.bfloat16().float()))


def test_a_batch_of_nothing_has_no_anchors() -> None:
    sums, counts = sup_con(torch.zeros(0, 2, 4), torch.zeros(0, 0))
    assert sums.shape == counts.shape == (0,)
