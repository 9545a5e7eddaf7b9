import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from armillary.errors import BadInput, OutOfRange
from armillary.generate.condition import Ignoring, Roles
from armillary.generate.denoiser import ByStrand
from armillary.generate.noise import noise
from armillary.generate.sampler import final, sample
from armillary.generate.solver import Method, Solver
from armillary.generate.strips import Strip, sample_strips
from armillary.generate.windows import Axis, Windowed, Windows
from armillary.models.path import OURS

OWN = {"fine": (8, 8), "coarse": (4, 4), "mean": (1, 1), "date": (1, 1)}
CHANNELS = {"fine": 2, "coarse": 1, "mean": 1, "date": 3}
ROLES = Roles.asking(OWN, ("fine", "mean"), ("coarse", "date"))
STEPS = Solver(steps=4)


class Neighbours(nn.Module):
    """A denoiser that looks around in its window, and at all strands: not the same for every window."""

    def forward(self, x: ByStrand, times: Tensor) -> dict[str, Tensor]:
        box = nn.functional.avg_pool2d(x["fine"], 3, 1, 1)
        up = nn.functional.interpolate(x["coarse"], scale_factor=2) if "coarse" in x else 0.0
        date = x["date"].mean(dim=1, keepdim=True)
        t = times[:, 0, None, None, None] / 1000
        fine = box * (1 - 0.3 * t) + 0.2 * up + 0.1 * x["mean"] + 0.05 * date
        mean = 0.5 * x["mean"] + 0.1 * x["fine"].mean(dim=(1, 2, 3), keepdim=True)
        said = {"fine": fine, "mean": mean, "date": 0 * x["date"]}
        return said | ({"coarse": 0 * x["coarse"]} if "coarse" in x else {})


def scene(rows: int = 17, cols: int = 11, side: int = 4, overlap: int = 1, batch: int = 3) -> Windowed:
    windows = Windows.of((rows, cols), side, overlap, OWN)
    n, m = len(windows.rows.starts), len(windows.cols.starts)
    sides = {"fine": (2 * rows, 2 * cols), "coarse": (rows, cols), "mean": (n, m), "date": (1, 1)}
    return Windowed(Neighbours(), windows, {s: (CHANNELS[s], *sides[s]) for s in OWN}, batch)


def given_of(windowed: Windowed, items: int = 2) -> dict[str, Tensor]:
    return {s: noise(range(50, 50 + items), s, windowed.shapes[s]) for s in ("coarse", "date")}


def whole(windowed: Windowed, roles: Roles = ROLES, solver: Solver = STEPS) -> dict[str, Tensor]:
    given = {s: v for s, v in given_of(windowed).items() if s in roles.named("given")}
    x = final(sample(windowed, OURS, roles, given, windowed.shapes, (1, 2), solver)).x
    return {s: x[s] for s in roles.named("generate")}


def strips(windowed: Windowed, roles: Roles = ROLES, solver: Solver = STEPS) -> list[Strip]:
    given = {s: v for s, v in given_of(windowed).items() if s in roles.named("given")}
    readers = {s: (lambda rows, v=v: v[:, :, rows]) for s, v in given.items()}
    return list(sample_strips(windowed, OURS, roles, readers, (1, 2), solver))


@pytest.mark.parametrize(("cells", "overlap"), [(17, 1), (17, 3), (4, 0), (9, 2), (8, 0), (5, 0)])
@pytest.mark.parametrize("k", [1, 3])
def test_the_shares_of_every_pixel_add_up_to_one(cells: int, overlap: int, k: int) -> None:
    side = 4
    axis = Axis(cells, side, overlap)
    total = torch.zeros(cells * k)
    for start, share in zip(axis.starts, axis.shares(k), strict=True):
        assert bool((share > 0).all())
        total[start * k : (start + side) * k] += share
    assert_close(total, torch.ones(cells * k))


def test_a_scene_of_one_window_is_what_the_network_makes_of_it() -> None:
    one = scene(4, 4)
    given = given_of(one)
    plain = final(sample(Neighbours(), OURS, ROLES, given, one.shapes, (1, 2), STEPS)).x
    for s, v in whole(one).items():
        assert_close(v, plain[s], atol=1e-6, rtol=0)


def test_how_many_windows_are_asked_at_once_changes_nothing() -> None:
    few, many = whole(scene(batch=1)), whole(scene(batch=100))
    assert all(torch.allclose(few[s], many[s], atol=1e-6) for s in few)


def test_windows_by_rows_and_windows_by_columns_agree() -> None:
    by_rows, by_cols = scene(), scene(11, 17)
    x = {s: noise((3,), s, by_rows.shapes[s]) for s in OWN}
    times = torch.tensor([[500.0, 0.0, 500.0, 0.0]])
    said = by_rows(x, times)
    turned = by_cols({s: v.mT for s, v in x.items()}, times)
    for s in OWN:
        assert_close(turned[s].mT, said[s], atol=1e-6, rtol=0)


def test_a_denoiser_that_looks_at_one_pixel_alone_leaves_no_trace_of_windows() -> None:
    windows = Windows.of((19, 10), 4, 2, {"fine": (8, 8)})
    shapes = {"fine": (2, 38, 20)}
    roles = Roles.asking(shapes, shapes)

    def alone(x: ByStrand, times: Tensor) -> dict[str, Tensor]:
        return {s: torch.sin(v) * times[:, :1, None, None] / 1000 for s, v in x.items()}

    tiled, plain = (
        final(sample(d, OURS, roles, {}, shapes, (5,), STEPS)).x["fine"]
        for d in (Windowed(alone, windows, shapes), alone)
    )
    assert_close(tiled, plain, atol=1e-5, rtol=0)


@pytest.mark.parametrize("method", ["dpm++2m", "dpm++3s", "euler", "heun"])
@pytest.mark.parametrize("ignoring", ["noise at T", "jointly", "left out", "released"])
def test_strips_are_the_sample_of_the_whole_scene_bit_by_bit(method: Method, ignoring: Ignoring) -> None:
    roles = Roles.asking(OWN, ("fine", "mean"), ("date",), ignoring)
    windowed, solver = scene(), Solver(method, 4)
    expected, found = whole(windowed, roles, solver), strips(windowed, roles, solver)
    for s, v in expected.items():
        assert torch.equal(torch.cat([strip.x[s] for strip in found], dim=2), v)
        assert [strip.rows[s].start for strip in found[1:]] == [strip.rows[s].stop for strip in found[:-1]]


def test_guided_strips_are_the_guided_sample() -> None:
    roles = Roles.asking(OWN, ("fine", "mean"), ("coarse", "date"), guidance=2.0)
    expected, found = whole(scene(), roles), strips(scene(), roles)
    assert_close(torch.cat([strip.x["fine"] for strip in found], dim=2), expected["fine"], atol=1e-5, rtol=0)
    assert not torch.equal(expected["fine"], whole(scene())["fine"])


def test_memory_does_not_grow_with_the_length_of_a_scene() -> None:
    held = [
        max(strip.held for strip in strips(scene(rows))) for rows in (40, 121)
    ]  # the last window is as far on as any
    assert held[0] == held[1]


def test_a_strand_that_windows_share_cannot_be_generated_in_strips() -> None:
    with pytest.raises(BadInput, match="date is one for all windows"):
        strips(scene(), Roles.asking(OWN, ("fine", "date"), ("coarse",)))


def test_strands_that_fit_no_window_and_scenes_smaller_than_one_are_refused() -> None:
    windows = Windows.of((8, 8), 4, 1, OWN)
    with pytest.raises(BadInput, match="one array per window"):
        windows.lines("fine", (2, 15, 16))
    with pytest.raises(OutOfRange, match="pad it"):
        Windows.of((3, 8), 4, 1, OWN)


def test_what_every_window_has_one_of_begins_alike_in_all_of_them() -> None:
    windowed = scene()
    mean = windowed.noise((1, 2), "mean")
    assert mean.shape == (2, *windowed.shapes["mean"])
    assert_close(mean, mean[:, :, :1, :1].expand_as(mean))
    assert_close(windowed.noise((1, 2), "fine"), noise((1, 2), "fine", windowed.shapes["fine"]))


@pytest.mark.parametrize("steps", [1, 4])
def test_strips_go_on_from_a_state_as_if_nothing_had_happened(steps: int) -> None:
    windowed, solver = scene(), Solver(steps=steps)
    given = given_of(windowed)
    readers = {s: (lambda rows, v=v: v[:, :, rows]) for s, v in given.items()}
    whole, kept = strips(windowed, solver=solver), {}
    for i, strip in enumerate(sample_strips(windowed, OURS, ROLES, readers, (1, 2), solver)):
        if i == 2:
            kept = {k: v.clone() for k, v in strip.state().items()}
            break
    rest = list(sample_strips(windowed, OURS, ROLES, readers, (1, 2), solver, since=kept))
    assert len(rest) == len(whole) - 3
    for one, other in zip(rest, whole[3:], strict=True):
        assert one.rows == other.rows
        for s in one.x:
            assert_close(one.x[s], other.x[s], rtol=0, atol=0)
    with pytest.raises(BadInput, match="another request"):
        list(sample_strips(windowed, OURS, ROLES, readers, (1, 2), Solver(steps=steps + 1), since=kept))
