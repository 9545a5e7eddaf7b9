"""Stem: tokens built by a few small convolutions, instead of one linear kernel per patch (arXiv:2106.14881).

The generated kernel of a sensor is laid on every *fine step*, a quarter of a patch, and is two steps wide; three shared
convolutions then turn each 4 x 4 fine steps into one token. Texture survives that one linear kernel averages away, and
little imagery goes further. A token sees somewhat beyond its patch: whoever hides patches sets their pixels to 0, the
mean, before they come here (`armillary.models.mae`).
"""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import conv2d, gelu, pad

FINE = 4
"""Fine steps along each side of a patch."""

SPAN = 2
"""Width of the generated kernel in fine steps."""


class Stem(nn.Module):
    """Fine steps to tokens.

    Args:
        fine_width: channels of a fine step.
        width: of a token.
    """

    def __init__(self, fine_width: int, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(fine_width, fine_width, 3, padding=1)
        self.merge1 = nn.Conv2d(fine_width, 2 * fine_width, 3, stride=2, padding=1)
        self.merge2 = nn.Conv2d(2 * fine_width, width, 3, stride=2, padding=1)

    def forward(self, fine: Float[Tensor, "b f rows columns"]) -> Float[Tensor, "b d rows//4 columns//4"]:
        """Each 4 x 4 fine steps as one token; rows and columns are multiples of 4."""
        x = self.mix(gelu(fine))
        tokens: Tensor = self.merge2(gelu(self.merge1(gelu(x))))
        return tokens


def fine_steps(
    pixels: Float[Tensor, "b c h w"], kernel: Float[Tensor, "f c k k"], bias: Float[Tensor, " f"]
) -> Float[Tensor, "b f rows columns"]:
    """The generated kernel on every fine step, half of its k pixels; what lies beyond the edge is 0."""
    step = kernel.shape[-1] // SPAN
    before = step // 2
    return conv2d(pad(pixels, (before, step - before, before, step - before)), kernel, bias, stride=step)


class Unstem(nn.Module):
    """The way back: a token as its 4 x 4 *fine patches*, which do not overlap.

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
