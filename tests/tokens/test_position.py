import torch
from torch.nn.functional import interpolate
from torch.testing import assert_close

from armillary.nn.fourier import sincos_grid
from armillary.tokens.position import Position


def _position() -> Position:
    position = Position(4, 16)
    position.reset_parameters()
    return position


def test_the_stored_square_is_used_as_it_is() -> None:
    assert_close(_position().grid(4, 4), sincos_grid(4, 16), atol=0, rtol=0)


def test_a_rectangle_is_resized_row_by_row() -> None:
    position = _position()
    square = sincos_grid(4, 16).T.reshape(1, 16, 4, 4)
    want = interpolate(square, size=(3, 7), mode="bicubic", antialias=True)[0].reshape(16, 21).T
    assert_close(position.grid(3, 7), want)


def test_resized_grids_are_remembered_until_the_table_changes() -> None:
    position = _position()
    first = position.grid(3, 7)
    assert position.grid(3, 7) is first
    with torch.no_grad():
        position.table.mul_(2.0)
    assert_close(position.grid(3, 7), 2 * first)


def test_the_extra_token_has_no_position_but_knows_the_place() -> None:
    position = _position()
    torch.nn.init.zeros_(position.cls_token)
    here = torch.arange(32.0).reshape(2, 16)
    assert_close(position(torch.zeros(2, 16, 3, 5), here)[:, 0], here)
