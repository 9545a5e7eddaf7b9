"""Where, how large and when: the three things that are known of an item besides its pixels.

Each is expanded into waves and passes through its own linear layer; an unknown one is replaced by a learned token
(which passes through the same layer), item by item. Their sum is added to every token (arXiv:2503.11849, sec. 4.2).
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from armillary.nn.fourier import expand

DEGREES = (1e-4, 720.0)
AREA_KM2 = (1e-3, 5.1e8)
DAYS = (1.0, 365.25)
"""Shortest and longest wavelength of each expansion.

Outside these lengths the same formula is computed: a longitude of -179.99995, a token of 0.0005 km2. Upstream raises
AssertionError there. Its values are those of the formula, so nothing differs where upstream answers.
"""


class Fact(nn.Module):
    """One thing known of an item, or its learned absence."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.unknown = nn.Parameter(torch.empty(1, 1, width))

    def forward(self, code: Float[Tensor, "b d"], known: Bool[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """The fact where it is known, the token where it is not."""
        token = self.unknown[0, 0]
        out: Tensor = self.linear(torch.where(known[:, None], code.nan_to_num().to(token.dtype), token))
        return out


class Where(nn.Module):
    """Place, area and time of each item as one vector.

    Args:
        width: of a token.
        degrees_in_float32: add 180 and 90 to the coordinates before they become float64, as upstream does.
        unknown_spoils_batch: one unknown fact makes it unknown for the whole batch, as upstream does.
    """

    def __init__(self, width: int, *, degrees_in_float32: bool, unknown_spoils_batch: bool) -> None:
        super().__init__()
        self.width = width
        self.degrees_in_float32 = degrees_in_float32
        self.unknown_spoils_batch = unknown_spoils_batch
        self.place = Fact(width)
        self.area = Fact(width)
        self.time = Fact(width)

    def forward(
        self, lonlat: Float[Tensor, "b 2"], days: Float[Tensor, " b"], token_km2: Float[Tensor, " b"]
    ) -> Float[Tensor, "b d"]:
        """NaN = unknown. One unknown coordinate makes the place unknown."""
        d = self.width
        place = expand(self._degrees(lonlat), shortest=DEGREES[0], longest=DEGREES[1], width=d // 2).flatten(1)
        area = expand(token_km2.to(torch.float32), shortest=AREA_KM2[0], longest=AREA_KM2[1], width=d)
        time = expand(days.to(torch.float32), shortest=DAYS[0], longest=DAYS[1], width=d)
        m: Tensor = self.place(place, self._known(lonlat)) + self.area(area, self._known(token_km2))
        out: Tensor = m + self.time(time, self._known(days))
        return out

    def _degrees(self, lonlat: Float[Tensor, "b 2"]) -> Float[Tensor, "b 2"]:
        dtype = torch.float32 if self.degrees_in_float32 else torch.float64
        x = lonlat.to(dtype)
        return x + torch.tensor([180.0, 90.0], dtype=dtype, device=x.device)

    def _known(self, value: Float[Tensor, "b ..."]) -> Bool[Tensor, " b"]:
        known = torch.isfinite(value).flatten(1).all(dim=1) if value.ndim > 1 else torch.isfinite(value)
        return known.all().expand_as(known) if self.unknown_spoils_batch else known
