"""Stem: tokens built from fine patches through two non-linear merges, instead of one linear kernel.

A patch of p x p pixels is first cut into 4 x 4 *fine patches*, each weighed with a generated kernel of p/4 pixels;
twice, 2 x 2 neighbours are merged by a GELU and a linear layer. Texture survives that one linear kernel averages
away. Merges never overlap, so a token sees its own patch and nothing else, and masking stays honest (unlike a stem of
overlapping convolutions, arXiv:2106.14881).
"""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu

FINE = 4
"""Fine patches along each side of a patch."""


class Stem(nn.Module):
    """Fine patches to tokens.

    Args:
        fine_width: of a fine patch.
        width: of a token.
    """

    def __init__(self, fine_width: int, width: int) -> None:
        super().__init__()
        self.merge1 = nn.Linear(4 * fine_width, 2 * fine_width)
        self.merge2 = nn.Linear(8 * fine_width, width)

    def forward(self, fine: Float[Tensor, "b f rows columns"]) -> Float[Tensor, "b d rows//4 columns//4"]:
        """Each 4 x 4 fine patches as one token; rows and columns are multiples of 4."""
        x = self.merge1(gelu(_quarters(rearrange(fine, "b f h w -> b h w f"))))
        x = self.merge2(gelu(_quarters(x)))
        tokens: Tensor = rearrange(x, "b h w d -> b d h w")
        return tokens


class Unstem(nn.Module):
    """The way back: a token as its 4 x 4 fine patches.

    Args:
        width: of a token.
        fine_width: of a fine patch.
    """

    def __init__(self, width: int, fine_width: int) -> None:
        super().__init__()
        self.split1 = nn.Linear(width, 8 * fine_width)
        self.split2 = nn.Linear(2 * fine_width, 4 * fine_width)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n 16 f"]:
        """Fine patches of each token, row by row."""
        x = rearrange(self.split1(x), "b n (p q f) -> b n p q f", p=2, q=2)
        x = self.split2(gelu(x))
        return rearrange(x, "b n p q (r s f) -> b n (p r q s) f", r=2, s=2)


def _quarters(x: Float[Tensor, "b h w f"]) -> Float[Tensor, "b h//2 w//2 4*f"]:
    return rearrange(x, "b (h p) (w q) f -> b h w (p q f)", p=2, q=2)
