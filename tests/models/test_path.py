import pytest
import torch
from torch.testing import assert_close

from armillary.errors import BadInput, OutOfRange
from armillary.models.path import OURS, RELEASED, Path

PATHS = (OURS, RELEASED, Path(shift=3.0), Path("scaled-linear", "v"), Path("scaled-linear", "x0"))
T = torch.linspace(0, 1, 101, dtype=torch.float64)


@pytest.mark.parametrize("path", PATHS)
def test_the_variance_is_kept(path: Path) -> None:
    assert_close(path.alpha(T) ** 2 + path.sigma(T) ** 2, torch.ones_like(T))


@pytest.mark.parametrize("path", PATHS)
def test_time_0_is_exactly_clean_and_noise_only_grows(path: Path) -> None:
    assert (path.alpha(T)[0], path.sigma(T)[0]) == (1, 0)
    assert bool((path.sigma(T).diff() > 0).all())


@pytest.mark.parametrize("shift", [0.5, 1.0, 3.0])
def test_nothing_is_left_at_the_far_end_of_our_path(shift: float) -> None:
    one = torch.ones((), dtype=torch.float64)
    assert (Path(shift=shift).alpha(one), Path(shift=shift).sigma(one)) == (0, 1)


def test_a_shift_divides_the_root_of_the_signal_to_noise_ratio() -> None:
    inner = T[1:-1]
    assert_close(Path(shift=2.0).log_snr(inner), OURS.log_snr(inner) - torch.log(torch.tensor(2.0)).double())


@pytest.mark.parametrize("path", PATHS)
def test_the_time_of_a_log_snr_is_its_inverse(path: Path) -> None:
    inner = T[1:-1]
    assert_close(path.time_of(path.log_snr(inner)), inner, atol=1e-9, rtol=0)


@pytest.mark.parametrize("path", PATHS)
def test_the_clean_value_comes_back_from_what_is_predicted(path: Path) -> None:
    x0, e = torch.randn(2, 101, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = path.noised(x0, e, T)
    assert_close(path.x0(x, path.target(x0, e, T), T), x0)


def test_float32_times_keep_their_type_and_are_computed_in_double() -> None:
    for path in PATHS:
        assert_close(path.sigma(T.float()), path.sigma(T.float().double()).float(), atol=0, rtol=0)


def test_noise_predictions_are_refused_where_nothing_is_left_of_the_signal() -> None:
    with pytest.raises(BadInput, match="prediction='v'"):
        Path("zero-snr", "eps")


def test_ends_and_shifts_that_cannot_be_are_refused() -> None:
    for wrong in ({"end": 1.0}, {"end": -0.1}, {"shift": 0.0}):
        with pytest.raises(OutOfRange):
            Path(**wrong)
