from pathlib import Path

import matplotlib.image
import numpy as np

from armillary.train.objective import Panel
from armillary.train.pictures import draw_losses, draw_panels


def test_losses_are_drawn_even_where_a_term_was_met_once(tmp_path: Path) -> None:
    train = {k: {"loss": 1 / (k + 1), "lr": 1.0} | ({"rare": 0.5} if k == 3 else {}) for k in range(9)}
    draw_losses(tmp_path / "pictures" / "losses.png", train, {8: {"loss": 0.4}})
    picture = matplotlib.image.imread(tmp_path / "pictures" / "losses.png")
    assert picture.shape[1] > 1.5 * picture.shape[0]  # two terms side by side; the learning rate is none
    assert picture[..., :3].std() > 0.01


def test_panels_stand_in_rows_with_the_values_they_were_given(tmp_path: Path) -> None:
    red = np.zeros((8, 8, 3), np.float32)
    red[..., 0] = 1.0
    draw_panels(tmp_path / "p.png", [Panel("a", {"x": red, "y": np.zeros((4, 4), np.float32)})] * 2, "title")
    picture = matplotlib.image.imread(tmp_path / "p.png")[..., :3]
    assert ((picture == [1, 0, 0]).all(axis=-1)).mean() > 0.15
    assert picture.shape[0] > picture.shape[1]
