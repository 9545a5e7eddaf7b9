import pytest
import torch
from torch.testing import assert_close

from armillary.errors import BadInput
from armillary.generate.condition import Ignoring, Roles
from armillary.generate.gaussian import Gaussian, alike
from armillary.generate.noise import seed_of, seeds_of
from armillary.generate.sampler import State, final, sample
from armillary.generate.solver import Solver
from armillary.models.path import OURS

SHAPES = {"a": (1, 6, 5), "b": (1, 6, 5), "c": (1, 6, 5)}
EXACT = Gaussian(alike(0.8), OURS, strands=("a", "b", "c"))


def given_of(*seeds: int) -> dict[str, torch.Tensor]:
    return {"a": torch.stack([torch.randn(1, 6, 5, generator=torch.Generator().manual_seed(s)) for s in seeds])}


def run(seeds: tuple[int, ...], ignoring: Ignoring = "noise at T", want: tuple[str, ...] = ("b",)) -> State:
    roles = Roles.asking(SHAPES, want, ("a",), ignoring)
    return final(sample(EXACT, OURS, roles, given_of(*seeds), SHAPES, seeds, Solver(steps=5)))


@pytest.mark.parametrize("ignoring", ["noise at T", "jointly", "left out", "released"])
def test_items_in_one_batch_are_what_they_are_alone(ignoring: Ignoring) -> None:
    together = run((7, 8, 9), ignoring).x["b"]
    for i, seed in enumerate((7, 8, 9)):
        assert_close(run((seed,), ignoring).x["b"][0], together[i], atol=1e-6, rtol=0)


def test_other_seeds_give_other_samples_of_the_same_given_place() -> None:
    given = {"a": given_of(1)["a"].expand(2, -1, -1, -1)}
    roles = Roles.asking(SHAPES, ("b",), ("a",))
    x = final(sample(EXACT, OURS, roles, given, SHAPES, seeds_of(3, 2), Solver(steps=5))).x["b"]
    assert float((x[0] - x[1]).abs().mean()) > 0.1


def test_the_seed_of_an_item_does_not_depend_on_how_many_are_asked() -> None:
    assert seeds_of(5, 8)[2:4] == seeds_of(5, 2, first=2)
    assert len({*seeds_of(5, 50), *seeds_of(6, 50)}) == 100


def test_seeds_fit_a_generator_and_words_do_not_run_into_each_other() -> None:
    assert 0 <= seed_of(0) < 2**63
    assert seed_of(1, "ab", "c") != seed_of(1, "a", "bc")


def test_ignored_strands_are_in_no_state() -> None:
    for ignoring in ("noise at T", "jointly", "left out", "released"):
        state = run((1,), ignoring)  # type: ignore[arg-type]
        assert (tuple(state.x), tuple(state.x0)) == (("a", "b"), ("b",))


def test_steps_are_counted_and_end_at_the_end_of_the_path() -> None:
    roles = Roles.asking(SHAPES, SHAPES)
    states = list(sample(EXACT, OURS, roles, {}, SHAPES, (1,), Solver("heun", 4)))
    assert [s.step for s in states] == [0, 1, 2, 3]
    assert [s.time for s in states] == list(Solver("heun", 4).nodes(OURS))[1:]
    assert states[-1].time == 0


def test_the_sample_is_the_last_clean_value_that_was_expected() -> None:
    state = run((4,))
    assert_close(state.x["b"], state.x0["b"], atol=1e-6, rtol=0)


def test_the_network_sees_each_role_at_its_time_and_in_its_order() -> None:
    seen: list[tuple[tuple[str, ...], torch.Tensor]] = []

    def denoise(x, times):  # type: ignore[no-untyped-def]
        seen.append((tuple(x), times))
        return x

    for ignoring, expected in (("noise at T", 1000.0), ("jointly", None), ("released", 0.0)):
        roles = Roles.asking(SHAPES, ("b",), ("a",), ignoring)  # type: ignore[arg-type]
        solver = Solver(steps=3)
        final(sample(denoise, OURS, roles, given_of(1, 2), SHAPES, (1, 2), solver))
        for (order, times), t in zip(seen, solver.nodes(OURS)[:-1], strict=True):
            assert order == ("a", "b", "c")
            third = 1000 * t if expected is None else expected
            assert_close(times, torch.tensor([[0.0, 1000 * t, third]]).expand(2, 3))
        seen.clear()


def test_a_strand_that_is_left_out_is_not_shown_but_has_its_time() -> None:
    def denoise(x, times):  # type: ignore[no-untyped-def]
        assert (tuple(x), times.shape) == (("a", "b"), (1, 3))
        return x

    roles = Roles.asking(SHAPES, ("b",), ("a",), "left out")
    final(sample(denoise, OURS, roles, given_of(1), SHAPES, (1,), Solver(steps=3)))


def test_ignored_strands_are_the_same_noise_at_every_step_but_as_released() -> None:
    for ignoring, kinds in (("noise at T", 1), ("released", 3)):
        seen = []

        def denoise(x, times, seen=seen):  # type: ignore[no-untyped-def]
            seen.append(x["c"])
            return x

        roles = Roles.asking(SHAPES, ("b",), ("a",), ignoring)  # type: ignore[arg-type]
        final(sample(denoise, OURS, roles, given_of(1), SHAPES, (1,), Solver(steps=3)))
        assert len({tuple(x.flatten().tolist()) for x in seen}) == kinds


def test_given_values_that_are_unknown_are_shown_as_zero() -> None:
    holed, filled = given_of(1), given_of(1)
    holed["a"][0, 0, 2], filled["a"][0, 0, 2] = torch.nan, 0.0
    roles = Roles.asking(SHAPES, ("b",), ("a",))
    one, two = (final(sample(EXACT, OURS, roles, g, SHAPES, (1,), Solver(steps=3))) for g in (holed, filled))
    assert torch.equal(one.x["b"], two.x["b"])
    assert bool(one.x["a"][0, 0, 2].isnan().all())


@pytest.mark.parametrize(
    ("given", "shapes", "said"),
    [
        ({}, SHAPES, "a should be given and nothing is"),
        ({"a": torch.zeros(2, 1, 6, 5)}, SHAPES, "1 items of"),
        ({"a": torch.zeros(1, 1, 6, 4)}, SHAPES, "1 items of"),
        (given_of(1), dict(reversed(SHAPES.items())), "one order"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict, shapes: dict, said: str) -> None:
    roles = Roles.asking(SHAPES, ("b",), ("a",))
    with pytest.raises(BadInput, match=said):
        final(sample(EXACT, OURS, roles, given, shapes, (1,)))
