"""Pretraining of Copernicus-FM: every sensor that a draw holds, in one step (arXiv:2503.11849, sec. 4.3).

Up to five things are learned at once, each a term with its weight:

- *reconstruct*: hidden patches of each sensor on its own, as in the paper;
- *together*: the same with all sensors of a place in one sequence, and now and then one sensor wholly hidden
  (`armillary.train.together`), which the paper draws and its code does not have;
- *describe*: classical descriptors of the whole crop, told from the embedding of a part of it (`models.whitened`);
- *contrast*: views of one place, whatever the sensor, lie closer together than those of other places;
- *classify*: the class of a place, where one was given from outside, as by other people's models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from armillary.errors import BadInput
from armillary.models.mae import MaskedAutoencoder
from armillary.models.whitened import Whitened
from armillary.nn.init import initialise
from armillary.nn.trunk import run_alike
from armillary.sample.batch import Batch
from armillary.sample.stream import Draw, place_of
from armillary.tokens.mask import mask_random
from armillary.train.contrast import info_nce
from armillary.train.kin import Kin, grid_of, kin_of
from armillary.train.objective import Term
from armillary.train.reconstruct import Targets, reconstruction, term, with_holes
from armillary.train.together import Together
from armillary.train.vary import band_groups, drop_facts, narrow
from armillary.train.views import ViewConfig, cut_view, through_air

PROJECTED = 128
"""Width in which views are compared."""

SMOOTHING = 0.1
"""Of class labels, which come from other people's models and are not all right."""

Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(gt=0)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Weights:
    """How much each term counts; 0 leaves it out."""

    reconstruct: Weight = 1.0
    together: Weight = 0.0
    describe: Weight = 0.0
    contrast: Weight = 0.0
    classify: Weight = 0.0


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PretrainConfig:
    """What is learned, and how hard it is made.

    Args:
        weights: of the terms.
        sensors: weight of a sensor's items among all; 1 unless given.
        mask_ratio: share of hidden patches.
        targets: what hidden patches are compared with.
        bands_at_least: share of an item's bands that always stays; 1 keeps all.
        band_subsets: random subsets of bands per step and kind of sample.
        facts_dropped: probability that an item's place, time and area, each on its own, are made unknown.
        whole_batch: bands and facts are decided once per batch, as upstream.
        per_sensor: the mean over sensors of each sensor's mean, as upstream, and not the mean over all items. Like
            upstream's, it is made for draws whose every part has every sensor: the sensors of a part share its weight.
        views: how views differ.
        recrop: while training, what is rebuilt is a random view of each crop, and not the crop; for fixed crops.
        temperature: of the contrast.
        rebuild_every: steps between two that reconstruct (each sensor alone); the others save the time.
        together_every: the same for reconstruction together.
    """

    weights: Weights = field(default_factory=Weights)
    sensors: Mapping[str, Weight] = field(default_factory=dict)
    mask_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.7
    targets: Targets = field(default_factory=Targets)
    bands_at_least: Share = 0.5
    band_subsets: Count = 2
    facts_dropped: Share = 0.7
    whole_batch: bool = False
    per_sensor: bool = False
    views: ViewConfig = field(default_factory=ViewConfig)
    recrop: bool = False
    temperature: Annotated[float, Field(gt=0)] = 0.2
    rebuild_every: Count = 1
    together_every: Count = 1


class Pretraining(nn.Module):
    """The objective.

    Args:
        mae: encoder and decoder.
        config: what is learned.
        teachers: of the term *describe*; a kind without one is not described.
        classes: of the term *classify*: name of a place -> its class; other places are not classified.
        seed: of the heads' first values.

    Raises:
        BadInput: the term *classify* without classes, or targets that the decoder cannot be added to.
    """

    def __init__(
        self,
        mae: MaskedAutoencoder,
        config: PretrainConfig,
        teachers: Sequence[Whitened] = (),
        *,
        classes: Mapping[str, str] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if config.weights.classify and not classes:
            raise BadInput(
                f"the term classify was asked with weight {config.weights.classify:g} and no place has a class; give "
                "classes, or set objective.weights.classify=0"
            )
        if mae.decoder.config.around and config.targets.scale != "values":
            raise BadInput(
                f"the decoder corrects a fill of pixel values (around=true) and targets.scale={config.targets.scale} "
                "was asked, which are no values; set objective.targets.scale=values, or decoder.around=false"
            )
        names = sorted(set((classes or {}).values()))
        self.classes = {place: names.index(name) for place, name in (classes or {}).items()}
        self.mae = mae
        self.config = config
        width = mae.encoder.config.width
        self.teachers = {(t.sensor.name, t.sensor.band_names): t for t in teachers}
        with torch.device("meta"):  # values come from `seed`, not from the global generator
            tell = nn.ModuleDict({_name(t): nn.Linear(width, t.width) for t in teachers})
            project = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, PROJECTED))
            sort = nn.Linear(width, max(1, len(names)))
        self.tell = tell.to_empty(device="cpu")
        self.sort = sort.to_empty(device="cpu") if names and config.weights.classify else None
        self.project = project.to_empty(device="cpu") if config.weights.contrast else None
        self.together = (
            Together(mae, config.mask_ratio, config.targets, config.facts_dropped) if config.weights.together else None
        )
        with torch.no_grad():
            rng = torch.Generator().manual_seed(seed)
            initialise(self.tell, rng)
            for head in (self.project, self.sort):
                if head is not None:
                    initialise(head, rng)

    def forward(self, draw: Draw) -> Mapping[str, Term]:
        """The terms of one draw; a sensor that is absent has none."""
        card = self.mae.encoder.card
        kins = [(k, with_holes(card.collate(k.samples), k.samples).to(self._device)) for k in kin_of(draw)]
        weights = self.config.weights
        terms: dict[str, Term] = {}
        if weights.reconstruct and self._due(draw.step, self.config.rebuild_every):
            terms |= self._reconstruct(kins, draw.step)
        if self.together is not None and self._due(draw.step, self.config.together_every):
            terms |= {k: _weighed(t, weights.together) for k, t in self.together(kins, draw.step).items()}
        if weights.describe or self.project is not None or self.sort is not None:
            terms |= self._views(kins, draw)
        return terms

    def _due(self, step: int, every: int) -> bool:
        """Whether a term is part of this step; evaluations leave none out."""
        return not self.training or step % every == every - 1

    def _reconstruct(self, kins: Sequence[tuple[Kin, Batch]], step: int) -> dict[str, Term]:
        names, several = [], []
        for kin, whole in kins:
            batch = self._recropped(kin, whole) if self.training and self.config.recrop else whole
            for part, seeds in self.parts(self._with_less(batch, kin), kin.seeds, step):
                names.append(kin.sensor.name)
                several.append((part, self.mask(part, seeds)))
        found: dict[str, list[tuple[Tensor, Tensor]]] = {}
        if several:
            for name, (part, _), rebuilt in zip(names, several, self.mae.rebuild(several), strict=True):
                found.setdefault(name, []).append(
                    reconstruction(
                        rebuilt.pixels,
                        self.config.targets.of(part),
                        rebuilt.hidden,
                        self.config.targets.asked(part),
                    )
                )
        return self._balanced("reconstruct", found, self.config.weights.reconstruct)

    def _views(self, kins: Sequence[tuple[Kin, Batch]], draw: Draw) -> dict[str, Term]:
        """Terms on the embeddings of two views of every crop."""
        described: list[tuple[Tensor, Tensor, float]] = []
        vectors, places = [], []
        for kin, *pooled in self._pooled(kins, draw.step):
            vectors += pooled
            places += [draw.keys[row] for _ in pooled for row in kin.rows]
            sensor = kin.sensor
            teacher = self.teachers.get((sensor.name, sensor.band_names))
            if teacher is not None and self.config.weights.describe:
                wanted = teacher(kin.samples).to(pooled[0])
                told = [self.tell[_name(teacher)](z.float()) for z in pooled]
                error = torch.stack([mse_loss(t, wanted, reduction="none").mean(dim=1) for t in told]).mean(dim=0)
                weight = self.config.sensors.get(sensor.name, 1.0)
                described.append((error.sum(), torch.tensor(float(len(error))), weight))
        terms = {}
        if described:
            total = torch.stack([w * s for s, _, w in described]).sum()
            count = torch.stack([w * n for _, n, w in described]).sum()
            terms["describe"] = Term(total, count, self.config.weights.describe)
        if self.project is not None and vectors:
            z = self.project(torch.cat([v.float() for v in vectors]))
            sums, counts = info_nce(z, places, temperature=self.config.temperature)
            terms["contrast"] = term(sums, counts, self.config.weights.contrast)
        if self.sort is not None and vectors:
            terms |= self._classified(torch.cat([v.float() for v in vectors]), places)
        return terms

    def _classified(self, z: Float[Tensor, "b d"], places: Sequence[str]) -> dict[str, Term]:
        """Cross-entropy of the views of places that have a class."""
        assert self.sort is not None  # noqa: S101 (asked before)
        known = [(i, self.classes[place_of(p)]) for i, p in enumerate(places) if place_of(p) in self.classes]
        if not known:
            return {}
        at, wanted = torch.tensor(known, device=z.device).T
        loss = cross_entropy(self.sort(z[at]), wanted, reduction="sum", label_smoothing=SMOOTHING)
        return {"classify": Term(loss, torch.tensor(float(len(known))), self.config.weights.classify)}

    def _pooled(
        self, kins: Sequence[tuple[Kin, Batch]], step: int
    ) -> Iterator[tuple[Kin, Float[Tensor, "b d"], Float[Tensor, "b d"]]]:
        """Embeddings of two views of each crop, in the order of the samples."""
        encoder = self.mae.encoder
        entered, order = [], []
        for kin, whole in kins:
            for number in (1, 2):
                seeds = [seed + number for seed in kin.seeds]
                for part, items in self._subsets(self._view(kin, whole, number), seeds, step + number):
                    entered.append(encoder.enter(part)[0])
                    order.append((id(kin), number, items))
        found: dict[tuple[int, int], list[tuple[tuple[int, ...], Tensor]]] = {}
        for (whose, number, items), last in zip(order, run_alike(encoder.trunk, entered), strict=True):
            found.setdefault((whose, number), []).append((items, encoder.pool(last)))
        for kin, _ in kins:
            yield kin, _in_order(found[id(kin), 1]), _in_order(found[id(kin), 2])

    def _recropped(self, kin: Kin, whole: Batch) -> Batch:
        """A random view of each crop to be rebuilt."""
        return cut_view(whole, [s.window for s in kin.samples], kin.seeds, self.config.views, number=0)

    def _view(self, kin: Kin, whole: Batch, number: int) -> Batch:
        """One view of each crop, normalised."""
        views, sensor = self.config.views, kin.sensor
        filled = replace(whole, pixels=whole.pixels.nan_to_num(0.0))
        batch = cut_view(filled, [s.window for s in kin.samples], kin.seeds, views, number=number)
        if not self.training:
            return batch
        statistics = self.mae.encoder.card.statistics(sensor)
        batch = through_air(batch, sensor, statistics, kin.seeds, views, number=number)
        return drop_facts(batch, [seed + number for seed in kin.seeds], self.config.facts_dropped)

    def _with_less(self, batch: Batch, kin: Kin) -> Batch:
        """While training, some facts are unknown."""
        if not self.training:
            return batch
        return drop_facts(batch, kin.seeds, self.config.facts_dropped, whole_batch=self.config.whole_batch)

    def parts(self, batch: Batch, seeds: Sequence[int], step: int) -> Iterator[tuple[Batch, tuple[int, ...]]]:
        """The batch in parts of equal bands, with the seeds of their items; while training, some bands are dropped."""
        for part, items in self._subsets(batch, seeds, step):
            yield part, tuple(seeds[i] for i in items)

    def mask(self, batch: Batch, seeds: Sequence[int]) -> Int[Tensor, "b k"]:
        """Positions of the patches that stay visible."""
        rows, columns = grid_of(self.mae, batch)
        return mask_random(rows * columns, self.config.mask_ratio, seeds).to(self._device)

    def _subsets(self, batch: Batch, seeds: Sequence[int], step: int) -> Iterator[tuple[Batch, tuple[int, ...]]]:
        config = self.config
        for group in band_groups(
            len(batch.bands),
            seeds,
            step=step,
            groups=config.band_subsets,
            at_least=config.bands_at_least if self.training else 1.0,
            whole_batch=config.whole_batch,
        ):
            yield narrow(batch, group), group.items

    def _balanced(self, name: str, found: Mapping[str, list[tuple[Tensor, Tensor]]], weight: float) -> dict[str, Term]:
        """One term per sensor, weighed so that their sum is the mean over all items, or over sensors."""
        sums = {s: torch.cat([x for x, _ in parts]).sum() for s, parts in found.items()}
        counts = {s: torch.cat([n for _, n in parts]).sum().detach() for s, parts in found.items()}
        own = {s: self.config.sensors.get(s, 1.0) for s in found}
        watched = {f"{name}/{s}": Term(sums[s].detach(), counts[s], 0.0) for s in found}
        if self.config.per_sensor:
            total = sum(own.values())
            return {f"{name}/{s}": Term(sums[s], counts[s], weight * own[s] / total) for s in found}
        if not found:
            return {}
        whole = torch.stack([own[s] * sums[s] for s in found]).sum()
        return {name: Term(whole, torch.stack([own[s] * counts[s] for s in found]).sum(), weight), **watched}

    @property
    def _device(self) -> torch.device:
        return self.mae.decoder.mask_token.device


def _in_order(parts: Sequence[tuple[tuple[int, ...], Float[Tensor, "_ d"]]]) -> Float[Tensor, "b d"]:
    """Vectors of groups of items, in the order of the items."""
    at = torch.tensor([i for items, _ in parts for i in items], device=parts[0][1].device)
    return torch.cat([x for _, x in parts])[at.argsort()]


def _name(teacher: Whitened) -> str:
    """A key that a ModuleDict accepts."""
    return f"{teacher.sensor.name}:{'-'.join(teacher.sensor.band_names)}".replace(".", "_")


def _weighed(t: Term, weight: float) -> Term:
    return Term(t.sum, t.count, t.weight * weight)
