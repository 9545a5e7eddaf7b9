from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import xarray as xr

from armillary.errors import OutOfRange
from armillary.generate.noise import seeds_of
from armillary.generate.sampler import final, sample
from armillary.generate.windows import Windowed
from armillary.models.cop_gen import CopGen
from armillary.product.generated.answers import Answers
from armillary.product.generated.given import Shown, take
from armillary.product.generated.layout import mirrored
from armillary.product.generated.menu import menu_of
from armillary.product.generated.plan import How, Plan, plan_of
from armillary.product.generated.run import run
from armillary.product.generated.store import Memory

MakeView = Callable[..., xr.DataArray]


def made(x: dict[str, xr.DataArray], to: list[str], model: CopGen, how: How, samples: int = 1) -> tuple[Plan, Memory]:
    plan, store = plan_of(x, to, menu_of(model), samples, 0, how), Memory()
    list(take(plan, store))
    list(run(plan, model, store))
    return plan, store


def test_a_scene_in_strips_is_the_scene_at_once(nano: CopGen, view: MakeView) -> None:
    x = {"s2-l2a": view("s2-l2a", (150, 100)), "dem": view("dem", (150, 100))}
    plan, store = made(x, ["s1-rtc", "land-cover"], nano, How(steps=3))
    layout = plan.layout
    given = {s: torch.from_numpy(store.kept[f"given-{s}"])[None] for s in plan.roles.named("given")}
    shown = Windowed(Shown(nano, layout.codes, tuple(given)), layout.windows, layout.shapes)
    whole = final(sample(shown, plan.joint.path, plan.roles, given, layout.shapes, seeds_of(0, 1), plan.solver)).x
    for s in plan.roles.named("generate"):
        np.testing.assert_allclose(store.kept[f"made-{s}"], whole[s].numpy(), atol=1e-5)


def test_the_batch_changes_no_value(nano: CopGen, view: MakeView) -> None:
    x = {"s1-rtc": view("s1-rtc", (100, 150))}
    one, two = (made(x, ["dem"], nano, How(steps=2, batch=b), samples=3)[1] for b in (1, 32))
    np.testing.assert_allclose(one.kept["made-dem"], two.kept["made-dem"], atol=1e-4)


def test_relief_and_the_means_of_windows_add_up_to_one_surface(nano: CopGen, view: MakeView) -> None:
    """A slope, told as each window's relief and mean, comes back as that slope."""
    plan, store = made({"s1-rtc": view("s1-rtc", (150, 100))}, ["dem"], nano, How(steps=1))
    layout = plan.layout
    relief, height = (next(c for c in layout.codes if c.name == n) for n in ("dem", "dem-mean"))
    h, w = layout.shapes["dem"][1:]
    slope = 40.0 + np.add.outer(3.0 * np.arange(h), 0.5 * np.arange(w)).astype(np.float32)
    axes, k = layout.windows, layout.cell_px // 2
    tops, lefts = (np.asarray(a.starts) * k for a in (axes.rows, axes.cols))
    means = np.array([[slope[t : t + 32, e : e + 32].mean() for e in lefts] for t in tops], np.float32)
    down, across = axes.rows.shares(k).numpy(), axes.cols.shares(k).numpy()
    about = np.zeros_like(slope)
    for i, t in enumerate(tops):
        for j, e in enumerate(lefts):
            about[t : t + 32, e : e + 32] += means[i, j] * np.outer(down[i], across[j])
    store.kept["made-dem"][0] = relief.encode((slope - about)[None])
    store.kept["made-dem-mean"][0] = height.encode(means[None])
    found = np.concatenate(
        [Answers.of(plan, store).values(plan.outputs[0], 0, r) for r in (slice(0, 67), slice(67, 150))], 1
    )
    fine = 40.0 + np.add.outer(3.0 * ((np.arange(150) + 0.5) / 2 - 0.5), 0.5 * ((np.arange(100) + 0.5) / 2 - 0.5))
    np.testing.assert_allclose(found[0, 1:-1, 1:-1], fine[1:-1, 1:-1], atol=0.02)


def test_windows_may_be_larger_than_in_training_where_the_model_takes_any_side(nano: CopGen, view: MakeView) -> None:
    x = {"s1-rtc": view("s1-rtc", (96, 96))}
    plan, _ = made(x, ["s2-l2a"], nano, How(steps=1, view_px=96))
    assert len(plan.layout.windows) == 1
    with pytest.raises(OutOfRange, match="give a multiple of 4"):
        made(x, ["s2-l2a"], nano, How(view_px=70))
    with pytest.raises(OutOfRange, match="cannot share 64"):
        made(x, ["s2-l2a"], nano, How(overlap_px=64))


def test_rows_beyond_the_edge_are_mirrored() -> None:
    assert mirrored(slice(0, 9), 3).tolist() == [0, 1, 2, 1, 0, 1, 2, 1, 0]
    assert mirrored(slice(4, 6), 1).tolist() == [0, 0]


def test_the_network_is_shown_zero_for_unknown_numbers_and_told_which_strands_are_absent(nano: CopGen) -> None:
    seen: dict[str, torch.Tensor] = {}

    class Spy(torch.nn.Module):
        def forward(self, x: dict, times: torch.Tensor, present: torch.Tensor | None) -> dict:
            seen.update(x, present=present)
            return x

        completed = CopGen(replace(nano.config, field=None)).completed

    codes = menu_of(nano)[0].codes
    x = {
        "s1-rtc": torch.ones(2, 2, 64, 64),
        "dem": torch.full((2, 1, 32, 32), 50.0),
        "dem-mean": torch.zeros(2, 1, 1, 1),
    }
    x["s1-rtc"][0, 1] = -1e30
    x["dem"][1] = -1e30
    x["dem"][0, 0, :16] = 40.0
    Shown(Spy(), codes, tuple(x))(x, torch.zeros(2, len(codes)))
    assert seen["s1-rtc"][0, 1].abs().max() == 0
    torch.testing.assert_close(seen["dem-mean"].flatten(), torch.asinh(torch.tensor([0.45, 0.0])))
    torch.testing.assert_close(seen["dem"][0, 0, ::31, 0], torch.asinh(torch.tensor([-1.0, 1.0])))
    assert seen["present"].tolist() == [[True] * 13, [c.name not in ("dem", "dem-mean") for c in codes]]
