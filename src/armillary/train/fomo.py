"""Pretraining of FoMo-Net: all bands of all sensors of a place in one sequence, three quarters of them hidden.

What is compared is pixels as they are normalised, without a mean and contrast per patch, by squared error
(arXiv:2312.10114 and its code). Of each item's bands a random number is left out first, none to all but one, so that
the model meets every combination.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass as checked
from torch import Tensor, nn

from armillary.models.card import Card
from armillary.models.fomo_mae import FoMoAutoencoder, targets_of
from armillary.models.fomo_sizes import IDS
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.tokens.mask import mask_random
from armillary.train.objective import Term
from armillary.train.reconstruct import reconstruction, term, with_holes
from armillary.train.vary import band_groups, narrow


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class FoMoPretrainConfig:
    """What is learned, and how hard it is made.

    Args:
        mask_ratio: share of hidden tokens, of all bands together.
        drop_bands: whether bands are left out while training.
        band_subsets: random subsets of bands per step and kind of item; upstream has one for a whole batch.
        joint: all sensors of an item that have its size in one sequence; otherwise each sensor alone.
    """

    mask_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.75
    drop_bands: bool = True
    band_subsets: Annotated[int, Field(gt=0)] = 2
    joint: bool = True


@dataclass(frozen=True, eq=False)
class Stack:
    """Items whose bands, of one sensor or several, go into one sequence.

    Args:
        batch: all bands of all sensors, one after the other.
        seeds: of the items.
        sensors: whose bands these are.
    """

    batch: Batch
    seeds: tuple[int, ...]
    sensors: tuple[str, ...]


class FoMoPretraining(nn.Module):
    """The objective.

    Args:
        mae: encoder and decoder.
        config: what is learned.
    """

    def __init__(self, mae: FoMoAutoencoder, config: FoMoPretrainConfig) -> None:
        super().__init__()
        self.mae = mae
        self.config = config

    def forward(self, draw: Draw) -> Mapping[str, Term]:
        """One term; a draw without any band that FoMo-Net knows has none."""
        found = [self._rebuilt(part, seeds) for part, seeds in self._parts(draw)]
        if not found:
            return {}
        sums, counts = (torch.cat([pair[i] for pair in found]) for i in (0, 1))
        return {"reconstruct": term(sums, counts)}

    def _parts(self, draw: Draw) -> Iterator[tuple[Batch, tuple[int, ...]]]:
        """Batches of equal bands; while training, with some bands left out."""
        device = self.mae.decoder.mask_token.device
        config = self.config
        for stack in stacks_of(draw, self.mae.encoder.card, joint=config.joint):
            groups = band_groups(
                len(stack.batch.bands),
                stack.seeds,
                step=draw.step,
                groups=config.band_subsets,
                at_least=0.0 if self.training and config.drop_bands else 1.0,
            )
            for group in groups:
                yield narrow(stack.batch.to(device), group), tuple(stack.seeds[i] for i in group.items)

    def _rebuilt(self, batch: Batch, seeds: Sequence[int]) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
        at = mask_random(self.mae.tokens_of(batch), self.config.mask_ratio, seeds).to(batch.pixels.device)
        made = self.mae(batch, at)
        target, asked = targets_of(batch, self.mae.encoder.config.patch_px)
        return reconstruction(made.pixels, target, made.hidden, asked)


def stacks_of(draw: Draw, card: Card, *, joint: bool) -> Iterator[Stack]:
    """The samples of a draw whose sensors FoMo-Net knows, as sequences, in an order that no item's place decides.

    Sensors of an item that have the same rows and columns go together; two that share an id (level 1C and level 2A of
    Sentinel-2) do not.
    """
    items: dict[int, list[Sample]] = {}
    for sensor in sorted(s for s in draw.samples if s in card.entries):
        for row, sample in zip(draw.rows[sensor], draw.samples[sensor], strict=True):
            items.setdefault(row, []).append(sample)
    kinds: dict[tuple[tuple[str, tuple[str, ...], tuple[int, int]], ...], list[tuple[int, tuple[Sample, ...]]]] = {}
    for row, samples in items.items():
        for part in _parts_of(samples, joint=joint):
            kind = tuple((s.sensor.name, s.sensor.band_names, s.window.shape) for s in part)
            kinds.setdefault(kind, []).append((row, part))
    for kind, found in sorted(kinds.items()):
        columns = list(zip(*(part for _, part in found), strict=True))
        batches = [with_holes(card.collate(column), column) for column in columns]
        pixels = torch.cat([b.pixels for b in batches], dim=1)
        bands = tuple(band for b in batches for band in b.bands)
        seeds = tuple(draw.seeds[row] for row, _ in found)
        yield Stack(replace(batches[0], pixels=pixels, bands=bands), seeds, tuple(name for name, _, _ in kind))


def _parts_of(samples: Sequence[Sample], *, joint: bool) -> list[tuple[Sample, ...]]:
    """Samples of one item that may be one sequence: one size, and no id twice."""
    parts: list[list[Sample]] = []
    for sample in samples:
        ids = {IDS[b] for b in sample.sensor.bands}
        for part in parts if joint else ():
            taken = {IDS[b] for other in part for b in other.sensor.bands}
            if part[0].window.shape == sample.window.shape and not ids & taken:
                part.append(sample)
                break
        else:
            parts.append([sample])
    return [tuple(part) for part in parts]
