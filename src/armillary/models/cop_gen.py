"""COP-GEN-Beta and COP-GEN: one transformer that denoises every strand at once, each at a time of its own.

COP-GEN-Beta (arXiv:2504.08548) and COP-GEN (arXiv:2603.03239) are one network in several sizes (`cop_gen_sizes`): per
strand a token for its diffusion time and one per patch, all in one sequence through a post-norm U-ViT (`nn.uvit`), and
a linear layer per strand that says what noise there is (or what the weights were trained to say). A strand at time 0 is
given, one at time 1000 is unknown: what is generated from what is decided by the times alone.

Every token looks at every other in every block, so whatever a given strand becomes inside depends on the strands that
still change: between the steps of a sampler nothing but the patches of given strands would stay the same, and these are
a thousandth of the work. What can be saved without changing a number is a strand that is absent for the whole batch:
leave it out of the mapping, and it takes part in nothing. Models trained with absent strands know what that means.
"""

import hashlib
from collections.abc import Mapping
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from armillary.errors import BadInput, BandMismatch, OutOfRange
from armillary.models.cop_gen_sizes import AUTHORS_NAMES, COP_GEN, CopGenConfig, numbers
from armillary.models.field import Field, takes_part
from armillary.models.ground import Ground
from armillary.models.holes import filled
from armillary.models.strand import Strand
from armillary.models.weights import load_state
from armillary.nn.block import POST_NORM_EPS
from armillary.nn.fourier import time_waves
from armillary.nn.recall import Recall
from armillary.nn.uvit import UVit
from armillary.tokens.patch import embed_patches

__all__ = ["AUTHORS_NAMES", "COP_GEN", "CopGen", "CopGenConfig", "Strand", "cop_gen_of", "numbers"]

POSITIONS_KEPT = 32
"""How many stretched position tables are remembered."""

HOLES_KEPT = 1 << 29
"""Bytes of windows with holes that are remembered filled. A sampling loop shows each at every step, and `steps` rows of
windows are under way at once: this holds those of a Sentinel-2 tile's width with one level given, at twenty steps."""

SIGMA = 0.02
"""Standard deviation of the weights of an untrained model."""


class PatchKernel(nn.Module):
    """One linear layer over the pixels of a patch.

    Args:
        channels: of the picture.
        width: of a token.
        patch: side of the patch.
    """

    def __init__(self, channels: int, width: int, patch: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(width, channels, patch, patch))
        self.bias = nn.Parameter(torch.empty(width))

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d rows columns"]:
        """One token per patch."""
        return embed_patches(x, self.kernel, self.bias, padding_px=0)


class TimeMlp(nn.Module):
    """Linear, SiLU, linear: what is learned of a time."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
        """Each time on its own."""
        out: Tensor = self.fc2(silu(self.fc1(x)))
        return out


class CopGen(nn.Module):
    """The joint diffusion transformer, with random weights.

    Args:
        config: its shapes.
        seed: of the weights; the global random state is left alone.
    """

    def __init__(self, config: CopGenConfig, *, seed: int = 0) -> None:
        super().__init__()
        self.config = config
        d = config.width
        wanted = torch.get_default_device()
        with torch.device("meta"):
            self.places = nn.Parameter(torch.empty(1, config.tokens, d))
            self.times = nn.ModuleList([TimeMlp(d) for _ in config.strands if config.mlp_time])
            self.patches = nn.ModuleList([PatchKernel(s.channels, d, s.patch) for s in config.strands])
            self.trunk = UVit(
                d, config.depth, config.heads, ratio=config.ratio, pre_norm=config.pre_norm, exact=config.exact
            )
            self.final_norm = nn.LayerNorm(d, eps=POST_NORM_EPS)
            self.heads = nn.ModuleList([nn.Linear(d, s.patch**2 * s.channels) for s in config.strands])
            self.field = Field(config.strands, config.field) if config.field else None
            self.ground = (
                Ground(config.strands, config.ground, d, guessed=bool(config.field)) if config.ground else None
            )
        self.recall: Recall[Tensor] = Recall(POSITIONS_KEPT)
        self.whole: Recall[dict[str, Tensor]] = Recall(HOLES_KEPT, _bytes)
        self.working: torch.dtype | None = None
        """Precision of the trunk's products while no gradients are wanted; None: the weights' own. See `precision`."""
        if wanted.type != "meta":
            self.to_empty(device=wanted)
            self.reset_parameters(torch.Generator(wanted).manual_seed(seed))

    @torch.no_grad()
    def reset_parameters(self, rng: torch.Generator) -> None:
        """Linear layers and places N(0, 0.02), biases 0, norms 1 and 0; patch kernels uniform in 1 / sqrt(fan in)."""
        nn.init.normal_(self.places, std=SIGMA, generator=rng)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=SIGMA, generator=rng)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
            elif isinstance(module, PatchKernel):
                most = module.kernel[0].numel() ** -0.5
                for p in module.parameters():
                    nn.init.uniform_(p, -most, most, generator=rng)
        if self.ground is not None:
            self.ground.reset_parameters(rng)
        if self.field is not None:
            self.field.reset_parameters()
            self.silence()

    @torch.no_grad()
    def silence(self) -> None:
        """Add nothing to what the field says, until it is learned."""
        last = [*self.heads, *(self.ground.leave.values() if self.ground is not None else ())]
        for p in (p for layer in last for p in layer.parameters()):
            nn.init.zeros_(p)

    def forward(
        self,
        x: Mapping[str, Float[Tensor, "b _ _ _"]],
        times: Float[Tensor, "b m"],
        present: Bool[Tensor, "b m"] | None = None,
    ) -> dict[str, Float[Tensor, "b _ _ _"]]:
        """What the weights say of each strand (of released ones: its noise), float32, of the shape of what was given.

        Args:
            x: strand's name -> its values. A strand that no item has may be left out, and then no answer has it.
            times: one per strand of the configuration, in its order, 0 (clean) to 1000; fractions are allowed.
            present: whether an item has a strand; None: all. What an item has not is looked at by nothing, whatever
                values stand there; what is answered for it means nothing.

        Raises:
            BadInput: a strand that the model does not know, none at all, or another number of times.
            BandMismatch: other channels than the strand's.
            OutOfRange: other sides than the strand's, or than multiples of its patch.
        """
        self._check(x, times, present)
        here = [i for i, s in enumerate(self.config.strands) if s.name in x]
        pictures = {i: self._picture(i, x[self.config.strands[i].name], present) for i in here}
        grids = {i: self.patches[i](pictures[i]) for i in here}
        waves = time_waves(times, self.config.width)
        first = [self.times[i](waves[:, i]) if self.config.mlp_time else waves[:, i] for i in here]
        tokens = [t[:, None] for t in first] + [rearrange(grids[i], "b d h w -> b (h w) d") for i in here]
        sequence = torch.cat(tokens, dim=1) + self._positions({i: tuple(grids[i].shape[-2:]) for i in here})
        keys = None if present is None else self._keys(present[:, here], [t.shape[1] for t in tokens[len(here) :]])
        seen = self.final_norm(self.trunk(sequence, keys)).split([t.shape[1] for t in tokens], dim=1)[len(here) :]
        told = {i: rearrange(t, "b (h w) d -> b d h w", h=grids[i].shape[-2]) for i, t in zip(here, seen, strict=True)}
        said, guesses = ({}, {}) if self.field is None else self.field(pictures, times, present)
        added = {} if self.ground is None else self.ground(pictures, told, waves, present, guesses)
        out = {}
        for i, t in told.items():
            parts = [self._answer(i, t), *(more[i] for more in (added, said) if i in more)]
            out[self.config.strands[i].name] = sum(p.float() for p in parts)
        return out

    @torch.no_grad()
    def completed(
        self, given: Mapping[str, Float[Tensor, "b _ _ _"]], known: Mapping[str, Bool[Tensor, "b _ _ _"]]
    ) -> dict[str, Tensor]:
        """Given strands whose unknown numbers are what the field expects beside the known ones; 0 without a field.

        Args:
            given: strand's name -> clean values, any where they are not known.
            known: which are. A strand of which an item knows nothing stays 0 there: it is absent.
        """
        out = {s: torch.where(known[s], x, 0.0) for s, x in given.items()}
        if self.field is None or not given:
            return out
        numbers = {s.name: i for i, s in enumerate(self.config.strands) if s.name in given and takes_part(s)}
        for item in range(len(next(iter(given.values())))):
            own = [s for s in numbers if bool(known[s][item].any())]
            if all(bool(known[s][item].all()) for s in own):
                continue
            x = {s: torch.where(known[s][item], given[s][item], torch.nan).float() for s in own}
            key = tuple((s, hashlib.sha256(v.cpu().numpy().tobytes()).digest()) for s, v in x.items())
            found = self.whole.get(key, self.field.buffers(), partial(_filled, self.field, x, numbers))
            for s, v in found.items():
                out[s][item] = v.to(out[s])
        return out

    def _picture(self, i: int, x: Tensor, present: Tensor | None) -> Tensor:
        """A strand's values, 0 where an item has none."""
        x = x.to(self.places.dtype)
        return x if present is None else torch.where(present[:, i, None, None, None], x, 0.0)

    def _answer(self, i: int, tokens: Float[Tensor, "b d h w"]) -> Float[Tensor, "b c y x"]:
        """A strand's tokens as a picture; within a patch the values lie by row, column, channel."""
        p = self.config.strands[i].patch
        out: Tensor = rearrange(self.heads[i](tokens.movedim(1, -1)), "b h w (p q c) -> b c (h p) (w q)", p=p, q=p)
        return out

    def _keys(self, present: Tensor, lengths: list[int]) -> Tensor:
        """Which tokens may be looked at: those of strands that are there; in an item without any, all."""
        patches = [present[:, j, None].expand(-1, n) for j, n in enumerate(lengths)]
        keys = torch.cat((present, *patches), dim=1)
        return keys | ~present.any(dim=1, keepdim=True)

    def _positions(self, grids: Mapping[int, tuple[int, ...]]) -> Tensor:
        """The part of the position table that these strands need, stretched where they have other sides."""
        strands = self.config.strands
        own = {i: s.grid(s.height, s.width) for i, s in enumerate(strands)}
        if grids == own:
            return self.places
        times, *tables = torch.split(self.places, [len(strands), *(s.tokens for s in strands)], dim=1)
        parts = [
            tables[i] if grid == own[i] else self._stretched(i, tables[i], own[i], grid) for i, grid in grids.items()
        ]
        return torch.cat((times[:, list(grids)], *parts), dim=1)

    def _stretched(self, i: int, table: Tensor, own: tuple[int, int], grid: tuple[int, ...]) -> Tensor:
        def compute() -> Tensor:
            square = rearrange(table.float(), "b (h w) d -> b d h w", h=own[0])
            wide = interpolate(square, size=grid, mode="bicubic", antialias=True)
            return rearrange(wide, "b d h w -> b (h w) d").to(table.dtype)

        if torch.is_grad_enabled() and table.requires_grad:
            return compute()
        return self.recall.get((i, *grid, table.dtype, table.device), (self.places,), compute)

    def _check(self, x: Mapping[str, Tensor], times: Tensor, present: Tensor | None) -> None:
        strands = {s.name: s for s in self.config.strands}
        strange = [name for name in x if name not in strands]
        if strange or not x:
            raise BadInput(
                f"strands {', '.join(strange) or '(none)'} were given; this model's are {', '.join(strands)}"
            )
        for what, columns in (("times", times), ("present", present)):
            if columns is not None and columns.shape[-1] != len(strands):
                raise BadInput(
                    f"{what} has {columns.shape[-1]} columns; give one for each of {', '.join(strands)}, in this order"
                )
        for name, picture in x.items():
            self._check_picture(strands[name], tuple(picture.shape[1:]))

    def _check_picture(self, strand: Strand, shape: tuple[int, ...]) -> None:
        c, h, w = shape
        if c != strand.channels:
            raise BandMismatch(
                f"strand {strand.name!r} has {strand.channels} channels, {c} were given; give just those"
            )
        strand.grid(h, w)
        if not self.config.any_side and (h, w) != (strand.height, strand.width):
            raise OutOfRange(
                f"strand {strand.name!r} is {strand.height} x {strand.width} px for this model, {h} x {w} were given; "
                "its positions were learned for that size: cut or resize"
            )


def cop_gen_of(config: CopGenConfig, state: Mapping[str, Tensor], *, source: str) -> CopGen:
    """A model in eval mode with the values of a file in the released layout.

    Args:
        config: of the table.
        state: of the file, by name; all names may begin with "module.", as data-parallel training leaves them.
        source: what the file is called, for the refusal.

    Raises:
        WeightsMismatch: with every missing, unexpected and mis-shaped key, and the model that the file seems to be of.
    """
    if all(k.startswith("module.") for k in state):
        state = {k.removeprefix("module."): v for k, v in state.items()}
    with torch.device("meta"):
        model = CopGen(config)
    load_state(model, state, source=source, remedy=_remedy(state))
    return model.eval()


def _remedy(state: Mapping[str, Tensor]) -> str:
    """Which model of the table a file seems to be of."""
    table = state.get("pos_embed")
    if table is None or table.ndim != 3 or "mid_block.norm2.weight" not in state:
        return "a file of COP-GEN holds pos_embed of three axes and mid_block.*, this one does not"
    shape = (table.shape[1], table.shape[2], 2 * len({k.split(".")[1] for k in state if k.startswith("in_blocks.")}))
    alike = [n for n, c in COP_GEN.items() if (c.tokens, c.width, 2 * (c.depth // 2)) == shape]
    what = "it has {} tokens, width {}, depth {}".format(*shape)
    return f"{what}, as {', '.join(alike)}" if alike else f"{what}, as no model of the zoo"


def _bytes(found: Mapping[str, Tensor]) -> int:
    return sum(v.numel() * v.element_size() for v in found.values())


def _filled(field: Field, x: Mapping[str, Float[Tensor, "c h w"]], numbers: Mapping[str, int]) -> dict[str, Tensor]:
    """One item, NaN where a number is not known."""
    pictures = {numbers[s]: v[None] for s, v in x.items()}
    found = filled(field, pictures, {i: ~v.isnan() for i, v in pictures.items()})
    return {s: found[numbers[s]][0] for s in x}
