"""Ground: what happens pixel by pixel, over all strands of one piece of ground at once; the project's own.

Tokens of small models are too narrow for all the pixels of their patches, so a transformer alone blurs. Here the
pictures of all strands are laid over each other at the finest side among them, each weighed by its own time; a few
convolutions follow, which hear the times of all, the strands that are a few numbers and the tokens of the transformer,
and each strand gets its part back at its own side. Where the model has a field (`armillary.models.field`), what that
takes for the clean pictures lies beside the noisy ones. At birth the answer is 0.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, gelu, interpolate

from armillary.models.strand import Strand

NORM_EPS = 1e-5

REACHES = (1, 2, 4)
"""Distance between the taps of each block's first convolution: together they see 17 px to each side."""


class Near(nn.Module):
    """x + convolutions of x, scaled and shifted by what was heard of the times."""

    def __init__(self, channels: int, reach: int) -> None:
        super().__init__()
        self.heard = nn.Linear(channels, 2 * channels)
        self.near = nn.Conv2d(channels, channels, 3, padding=reach, dilation=reach)
        self.far = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Float[Tensor, "b f h w"], times: Float[Tensor, "b f"]) -> Float[Tensor, "b f h w"]:
        """Every pixel from its neighbourhood."""
        scale, shift = self.heard(times)[..., None, None].chunk(2, dim=1)
        out: Tensor = x + self.far(gelu(self.near(gelu(_normed(x) * (1 + scale) + shift))))
        return out


class Ground(nn.Module):
    """The path of pixels.

    Args:
        strands: of the model; those of one pixel or one row are heard everywhere alike, as times are.
        channels: of every picture inside.
        width: of a token.
        guessed: whether guesses of the clean pictures come with them.
    """

    def __init__(self, strands: Sequence[Strand], channels: int, width: int, *, guessed: bool = False) -> None:
        super().__init__()
        self.strands = tuple(strands)
        laid = {str(i): s for i, s in enumerate(strands) if is_laid(s)}
        self.times = nn.ModuleList([nn.Linear(width, 2 * channels) for _ in strands])
        self.enter = nn.ModuleDict({i: nn.Conv2d(s.channels, channels, 3, padding=1) for i, s in laid.items()})
        self.guesses = nn.ModuleDict(
            {i: nn.Conv2d(s.channels, channels, 3, padding=1, bias=False) for i, s in laid.items() if guessed}
        )
        told = {str(i): s for i, s in enumerate(strands) if not is_laid(s)}
        self.numbers = nn.ModuleDict(
            {i: nn.Linear(s.channels * s.height * s.width, channels, bias=False) for i, s in told.items()}
        )
        self.tokens = nn.ModuleDict({i: nn.Linear(width, channels, bias=False) for i in laid})
        self.blocks = nn.ModuleList([Near(channels, reach) for reach in REACHES])
        self.leave = nn.ModuleDict({i: nn.Conv2d(channels, s.channels, 1) for i, s in laid.items()})

    @torch.no_grad()
    def reset_parameters(self, rng: torch.Generator) -> None:
        """All uniform in 1 / sqrt(fan in), but what is added to answers, and what blocks hear, is 0 at birth."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                most = part.weight[0].numel() ** -0.5
                for p in part.parameters():
                    nn.init.uniform_(p, -most, most, generator=rng)
        still = (
            *self.leave.values(),
            *self.guesses.values(),
            *(m for m in self.blocks.modules() if isinstance(m, nn.Linear)),
        )
        for p in (p for part in still for p in part.parameters()):
            nn.init.zeros_(p)

    def forward(
        self,
        pictures: Mapping[int, Float[Tensor, "b _ _ _"]],
        grids: Mapping[int, Float[Tensor, "b d _ _"]],
        waves: Float[Tensor, "b m d"],
        present: Bool[Tensor, "b m"] | None,
        guesses: Mapping[int, Float[Tensor, "b _ _ _"]] = MappingProxyType({}),
    ) -> dict[int, Float[Tensor, "b _ _ _"]]:
        """What is added to the answer of every strand that is a picture.

        Args:
            pictures: number of a strand -> its values, 0 where an item has none.
            grids: number of a strand -> its tokens after the transformer, in rows and columns.
            waves: of the times of all strands of the model.
            present: whether an item has a strand; None: all.
            guesses: number of a strand -> what its clean values are taken for.
        """
        laid = {i: p for i, p in pictures.items() if str(i) in self.enter}
        if not laid:
            return {}
        side = self._side(laid)
        here = torch.ones(waves.shape[:2], device=waves.device) if present is None else present.to(waves.dtype)
        heard, x = torch.zeros((), device=waves.device), torch.zeros((), device=waves.device)
        told: dict[tuple[int, int], Tensor] = {}
        for i in pictures:
            gain, shift = (self.times[i](waves[:, i]) * here[:, i, None]).chunk(2, dim=1)
            heard = heard + shift
            if str(i) in self.numbers:
                heard = heard + self.numbers[str(i)](pictures[i].flatten(1)) * (1 + gain) * here[:, i, None]
            if i in laid:
                seen = self.enter[str(i)](laid[i]) * ((1 + gain) * here[:, i, None])[..., None, None]
                if str(i) in self.guesses:
                    seen = seen + self.guesses[str(i)](guesses[i]) * here[:, i, None, None, None]
                x = x + (seen if seen.shape[-2:] == side else interpolate(seen, size=side, mode="nearest"))
                said = self.tokens[str(i)](grids[i].movedim(1, -1)).movedim(-1, 1) * here[:, i, None, None, None]
                told[said.shape[-2:]] = told[said.shape[-2:]] + said if said.shape[-2:] in told else said
        for said in told.values():  # stretching is linear: what strands say on one grid is stretched together
            x = x + interpolate(said, size=side, mode="bilinear")
        for block in self.blocks:
            x = block(x, heard)
        return {i: self.leave[str(i)](_shrunk(x, (p.shape[-2], p.shape[-1]))) for i, p in laid.items()}

    def _side(self, laid: Mapping[int, Tensor]) -> tuple[int, int]:
        """Rows and columns of the finest strand of the model over this ground, whether it is here or not."""
        i, picture = next(iter(laid.items()))
        own, finest = self.strands[i], max((s for s in self.strands if is_laid(s)), key=lambda s: s.height * s.width)
        h, w = picture.shape[-2:]
        return h * finest.height // own.height, w * finest.width // own.width


def is_laid(strand: Strand) -> bool:
    """Whether a strand is a picture of the ground, and not a few numbers."""
    return strand.height > 1 and strand.width > 1


def _shrunk(x: Float[Tensor, "b f h w"], side: tuple[int, int]) -> Float[Tensor, "b f _ _"]:
    return x if x.shape[-2:] == side else adaptive_avg_pool2d(x, side)


def _normed(x: Float[Tensor, "b f h w"]) -> Float[Tensor, "b f h w"]:
    """Every pixel by the mean and variance of its own channels, so that no pixel hears of one far away."""
    variance, mean = torch.var_mean(x, dim=1, keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + NORM_EPS)
