"""Together: reconstruction with all sensors of a place in one sequence, and now and then one sensor wholly hidden.

The tokens that stay visible, of every sensor present, attend to each other; each sensor is then rebuilt by the decoder,
which may look at the others' tokens. A hidden sensor leaves no token at all: what it would have shown must be read from
the others. The paper (arXiv:2503.11849) draws sensors together; its code encodes one at a time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from armillary.models.mae import MaskedAutoencoder
from armillary.sample.batch import Batch
from armillary.tokens.mask import hidden_of, mask_random
from armillary.train.kin import Kin, grid_of
from armillary.train.objective import Term
from armillary.train.reconstruct import Targets, reconstruction, term
from armillary.train.vary import Group, drop_facts, narrow

WHOLE = 0.5
"""Probability that one sensor of a place is hidden from top to bottom."""

_WHOLE = 31
"""Last word of a seed."""


@dataclass(frozen=True, eq=False)
class Company:
    """Places of a draw that have the same sensors, two or more, each with its kin and its batch narrowed to these."""

    kins: Mapping[str, Kin]
    batches: Mapping[str, Batch]

    @property
    def seeds(self) -> tuple[int, ...]:
        """One per place."""
        return next(iter(self.kins.values())).seeds


class Together(nn.Module):
    """The term.

    Args:
        mae: encoder and decoder; shared with the other terms.
        mask_ratio: share of hidden patches of a sensor that is not wholly hidden.
        targets: what hidden patches are compared with.
        facts_dropped: probability that a fact is made unknown.
    """

    def __init__(self, mae: MaskedAutoencoder, mask_ratio: float, targets: Targets, facts_dropped: float) -> None:
        super().__init__()
        self.mae = mae
        self.mask_ratio = mask_ratio
        self.targets = targets
        self.facts_dropped = facts_dropped

    def forward(self, kins: Sequence[tuple[Kin, Batch]], step: int) -> Mapping[str, Term]:
        """One term over all hidden patches of all places with company; none when every place has one sensor."""
        parts = [part for company in companies(kins) for part in self._rebuild(company, step)]
        if not parts:
            return {}
        sums, counts = (torch.cat(x) for x in zip(*parts, strict=True))
        return {"together": term(sums, counts)}

    def _rebuild(self, company: Company, step: int) -> Iterator[tuple[Float[Tensor, " b"], Float[Tensor, " b"]]]:
        hidden = self._hidden(tuple(company.kins), step)
        batches = {name: self._with_less(batch, company.kins[name]) for name, batch in company.batches.items()}
        at = {name: self._visible(batches[name], kin.seeds) for name, kin in company.kins.items() if name != hidden}
        seen, grids = encode_together(self.mae, batches, at)
        for name, batch in batches.items():
            around = [x[:, 1:] for other, x in seen.items() if other != name]
            others = torch.cat(around, dim=1) if around else None
            own = seen[name] if name in seen else torch.stack([x[:, :1] for x in seen.values()]).mean(dim=0)
            where = at.get(name, torch.empty(len(batch), 0, dtype=torch.long, device=own.device))
            codes = self.mae.encoder.codes(batch.bands)
            pixels = self.mae.decoder(own, where, batch, codes, grids[name], others)
            pixels = pixels + self.mae.start(batch, where) if self.mae.decoder.config.around else pixels
            wanted, asked = self.targets.of(batch), self.targets.asked(batch)
            yield reconstruction(pixels, wanted, hidden_of(pixels.shape[1], where), asked)

    def _hidden(self, names: Sequence[str], step: int) -> str | None:
        """The sensor that a company of this step does without, if any; the same on every process."""
        rng = np.random.default_rng((step, *(len(n) for n in names), _WHOLE))
        chosen = names[int(rng.integers(len(names)))]
        return chosen if rng.random() < WHOLE else None

    def _with_less(self, batch: Batch, kin: Kin) -> Batch:
        """While training, some facts are unknown."""
        return drop_facts(batch, kin.seeds, self.facts_dropped) if self.training else batch

    def _visible(self, batch: Batch, seeds: Sequence[int]) -> Int[Tensor, "b k"]:
        rows, columns = grid_of(self.mae, batch)
        return mask_random(rows * columns, self.mask_ratio, seeds).to(batch.pixels.device)


def encode_together(
    mae: MaskedAutoencoder, batches: Mapping[str, Batch], at: Mapping[str, Int[Tensor, "b _"]]
) -> tuple[dict[str, Float[Tensor, "b _ d"]], dict[str, tuple[int, int]]]:
    """Visible tokens of each sensor in `at` after the trunk, the extra one first; and every sensor's grid."""
    encoder = mae.encoder
    grids = {name: grid_of(mae, batch) for name, batch in batches.items()}
    shown = {name: mae.show(batches[name], where)[0] for name, where in at.items()}
    last = encoder.cls_norm(encoder.trunk(torch.cat(list(shown.values()), dim=1), ())[-1])
    parts = last.split([x.shape[1] for x in shown.values()], dim=1)
    return dict(zip(shown, parts, strict=True)), grids


def companies(kins: Sequence[tuple[Kin, Batch]]) -> Iterator[Company]:
    """Places by the kinds of samples they have; those with a single one are left out."""
    at_row: dict[int, list[tuple[int, int]]] = {}
    for k, (kin, _) in enumerate(kins):
        for i, row in enumerate(kin.rows):
            at_row.setdefault(row, []).append((k, i))
    groups: dict[tuple[int, ...], list[list[tuple[int, int]]]] = {}
    for found in at_row.values():
        groups.setdefault(tuple(k for k, _ in found), []).append(found)
    for which, places in groups.items():
        if len(which) < 2:
            continue
        items = {k: tuple(place[j][1] for place in places) for j, k in enumerate(which)}
        yield Company(
            {kins[k][0].sensor.name: kins[k][0].only(at) for k, at in items.items()},
            {
                kins[k][0].sensor.name: narrow(kins[k][1], Group(at, tuple(range(len(kins[k][1].bands)))))
                for k, at in items.items()
            },
        )
