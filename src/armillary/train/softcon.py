"""Scene contrast: SoftCon (arXiv:2405.20462), SupCon, InfoNCE and the sigmoid loss on two views of each place.

*softcon*: half of one view is hidden from the encoder that learns, the momentum encoder sees the whole of the other;
the first must tell its own key from those of other places, and the table of likenesses is pulled towards the table of
how alike the labels are. The published figure shows this; what it does not show is reconstruction (docs/softcon.md).

*supcon*, *info-nce*, *siglip*: both views pass through the encoder that learns; there is no momentum encoder, nothing
is hidden. *info-nce* and *siglip* use no labels.
"""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from types import MappingProxyType
from typing import Annotated, Literal

import torch
from jaxtyping import Float, Int
from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from armillary.earth.legend import CLASSES
from armillary.errors import BadInput
from armillary.models.visible import Seen, Vector, vectors, width_of
from armillary.nn.init import initialise
from armillary.sample.stream import Draw, place_of
from armillary.train.contrast import likeness, sigmoid_contrast, weighted_contrast
from armillary.train.exchange import Exchange, meet
from armillary.train.labels import LabelSource
from armillary.train.momentum import NOBODY, Momentum, Queue, momentum_at
from armillary.train.objective import Term
from armillary.train.positives import TOO_MANY, Rule, alikeness, known, positive_rate, positives, present
from armillary.train.soft import Form, Logits, soft_loss, soft_targets
from armillary.train.teachers import Encoder
from armillary.train.two_views import How, Part, parts_of, two_looks
from armillary.train.views import ViewConfig

log = logging.getLogger(__name__)

Learn = Literal["softcon", "supcon", "info-nce", "siglip"]

SIGLIP = (10.0, -10.0)
"""Scale and bias with which the sigmoid loss begins (arXiv:2303.15343, sec. 3.2)."""

_SOFTCON: tuple[Learn, ...] = ("softcon",)

USED_BY: Mapping[str, tuple[Learn, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("contrast", "soft", "form", "soft_temperature", "bias", "learned"), _SOFTCON),
        **dict.fromkeys(("momentum", "queue", "mask_ratio"), _SOFTCON),
        **dict.fromkeys(("base_temperature", "rule", "power"), ("supcon",)),
        "temperature": ("softcon", "supcon", "info-nce"),
        "present_from": ("softcon", "supcon"),
    }
)
"""What has an effect on some of what is learned; every other option has one on all."""

Counted = tuple[Tensor, Tensor]
"""Sums and counts."""

Weight = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Above = Annotated[float, Field(ge=1e-6, allow_inf_nan=False)]


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SceneConfig:
    """What is learned from two views.

    Args:
        learn: by name; see the head of this file.
        contrast: weight of the contrast within softcon.
        soft: weight of the soft loss within softcon; 0 leaves MoCo v3.
        form: of the soft loss.
        temperature: of the contrast.
        base_temperature: of SupCon, whose loss is multiplied by temperature / base temperature; None: by 1.
        soft_temperature: of the soft loss.
        bias: that the soft loss's logits begin with; without one, unlike labels ask for opposite vectors.
        learned: whether scale and bias of the soft loss are learned.
        rule: which labels make positives of SupCon.
        power: of the rule jaccard.
        present_from: a class is a label of a scene from this share on; None takes shares as they are.
        momentum: of the momentum encoder at the first step; it grows to 1.
        queue: keys of earlier steps that are kept, with their labels; 0: those of the batch alone, as in MoCo v3.
        mask_ratio: share of a view that is hidden from the encoder that learns, within softcon.
        across: probability that the second view shows another sensor, where the place has one.
        bands_at_least: share of the bands of a view that stays, for models that take any.
        facts_dropped: probability that place, time and area of a view are unknown, each on its own.
        views: how views are cut. Labels are of whole scenes, so a view should show at least half.
        vector: which of a model's vectors is compared.
        hidden: width of the hidden layers of projector and predictor.
        projected: width in which views are compared.
    """

    learn: Learn = "softcon"
    contrast: Weight = 1.0
    soft: Weight = 1.0
    form: Form = "bce"
    temperature: Above = 0.2
    base_temperature: Above | None = None
    soft_temperature: Above = 0.1
    bias: Annotated[float, Field(allow_inf_nan=False)] = -3.0
    learned: bool = False
    rule: Rule = "all"
    power: Above = 1.0
    present_from: Share | None = 0.0
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.99
    queue: Annotated[int, Field(ge=0)] = 0
    mask_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.5
    across: Share = 0.5
    bands_at_least: Share = 0.5
    facts_dropped: Share = 0.7
    views: ViewConfig = field(default_factory=lambda: ViewConfig(share=(0.5, 1.0)))
    vector: Vector = "pooled"
    hidden: Annotated[int, Field(gt=0)] = 512
    projected: Annotated[int, Field(gt=0)] = 128

    @property
    def labelled(self) -> bool:
        """Whether labels are needed."""
        return self.learn == "supcon" or (self.learn == "softcon" and self.soft > 0)

    @property
    def deaf(self) -> bool:
        """Whether labels change nothing, not even what is told of them."""
        return self.learn in ("info-nce", "siglip")

    @property
    def idle(self) -> tuple[str, ...]:
        """Options that were changed and have no effect."""
        off = {name for name, learns in USED_BY.items() if self.learn not in learns}
        off |= {"power"} if self.rule != "jaccard" else set()
        off |= {"form", "soft_temperature", "bias", "learned"} if self.soft == 0 else set()
        return tuple(f.name for f in fields(self) if f.name in off and getattr(self, f.name) != f.default)

    @property
    def how(self) -> How:
        """How views are made."""
        return How(self.views, self.across, self.mask_ratio, self.bands_at_least, self.facts_dropped)


class Embedder(nn.Module):
    """An encoder and the projector behind it: what is seen of views -> vectors to compare.

    Args:
        encoder: any model of the zoo that embeds.
        project: takes its vectors.
        vector: which of them.
    """

    def __init__(self, encoder: nn.Module, project: nn.Module, vector: Vector) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = project
        self.width = width_of(encoder)
        self.vector = vector

    def forward(self, several: Sequence[Seen]) -> list[Tensor]:
        """One tensor per batch; the first is empty where there is none."""
        if not several:
            return [self.project(torch.zeros(0, self.width, device=next(self.project.parameters()).device))]
        found = vectors(self.encoder, several, self.vector)
        whole: Tensor = self.project(torch.cat([v.float() for v in found]))
        return list(torch.split(whole, [len(v) for v in found]))


class SceneContrast(nn.Module):
    """The objective.

    Args:
        encoder: any model of the zoo that embeds; it learns.
        config: what is learned.
        labels: of places.
        steps: of the whole training, over which the momentum grows.
        seed: of the first values of the heads.

    Raises:
        BadInput: labels are needed and there are none.
    """

    def __init__(
        self, encoder: nn.Module, config: SceneConfig, labels: LabelSource | None = None, *, steps: int, seed: int = 0
    ) -> None:
        super().__init__()
        if config.labelled and not labels:
            raise BadInput(
                f"{config.learn} learns from labels and no place has any; give labels=, or objective.learn=info-nce"
            )
        assert isinstance(encoder, Encoder)  # noqa: S101 (what the zoo holds)
        self.card = encoder.card
        self.config = config
        self.labels = labels or LabelSource()
        self.steps = steps
        soft = config.learn == "softcon"
        heads = _heads(width_of(encoder), config, seed)
        self.embedder = Embedder(encoder, heads["project"], config.vector)
        self.predict = heads["predict"] if soft else None
        scale, bias = (1 / config.soft_temperature, config.bias) if soft else SIGLIP
        self.logits = Logits(scale, bias, learned=config.learned or config.learn == "siglip")
        self.slow = Momentum(self.embedder) if soft else None
        self.queue = Queue(config.queue, config.projected, len(CLASSES)) if soft and config.queue else None
        self._warned = False

    @property
    def encoder(self) -> nn.Module:
        """What is trained."""
        return self.embedder.encoder

    def forward(self, draw: Draw) -> Mapping[str, Term]:
        """The terms of one draw, and the positive rate of its labels, which weighs nothing."""
        config, device = self.config, self.logits.bias.device
        looks = two_looks(draw, tuple(self.card.entries), config.across)
        both = (*looks[0], *looks[1])  # together, so that a kernel is made once for the bands of both sides
        parts = list(parts_of(both, self.card, config.how, step=draw.step, training=self.training, device=device))
        told = self.labels.of(draw).to(device)
        told = told if config.present_from is None else present(told, config.present_from)
        labels = [told[[look.item for look in side]] for side in looks]
        places = torch.tensor([place_number(draw.keys[look.item]) for look in looks[0]], device=device).long()
        exchange = meet(len(places), device)
        if self.slow is not None:
            return self._soft_con(parts, labels, places, exchange, draw.step)
        first, second = self._embed(parts, hidden=False)
        with torch.autocast(device.type, enabled=False):
            sides = (first.float(), second.float())
            if config.learn == "siglip":
                return self._sigmoid(*sides, places, exchange)
            return self._among_views(torch.cat(sides), torch.cat(labels), places.repeat(2), exchange)

    def _soft_con(
        self,
        parts: Sequence[Part],
        labels: Sequence[Float[Tensor, "n l"]],
        places: Int[Tensor, " n"],
        exchange: Exchange,
        step: int,
    ) -> dict[str, Term]:
        assert self.slow is not None and self.predict is not None  # noqa: S101, PT018 (asked before)
        if self.training:
            decay = momentum_at(step, first=self.config.momentum, steps=self.steps)
            self.slow.follow(self.embedder, step, decay)
        queries = [self.predict(z) for z in self._embed(parts, hidden=True)]
        own_keys = _sides(parts, self.slow(self.embedder, _seen(parts, hidden=False)))
        keys = [exchange.everybody(k.float()) for k in own_keys]
        others = [exchange.everybody(y) for y in labels]
        everywhere = exchange.everybody(places)
        device = places.device.type
        with torch.autocast(device, enabled=False):
            sides = [
                self._against(queries[a].float(), labels[a], places, keys[b], others[b], everywhere, exchange.first)
                for a, b in ((0, 1), (1, 0))
            ]
        if self.queue is not None and self.training:
            self.queue.put(torch.cat(keys), torch.cat(others), everywhere.repeat(2))
        weights = {"contrast": self.config.contrast, "soft": self.config.soft, "positive-rate": 0.0}
        self._look_at([side["positive-rate"] for side in sides])
        return {
            name: Term(
                torch.stack([side[name][0].sum() for side in sides]).sum(),
                torch.stack([side[name][1].sum() for side in sides]).sum().detach(),
                weight,
            )
            for name, weight in weights.items()
            if name in sides[0]
        }

    def _against(
        self,
        z: Float[Tensor, "n d"],
        labels: Float[Tensor, "n l"],
        places: Int[Tensor, " n"],
        keys: Float[Tensor, "k d"],
        others: Float[Tensor, "k l"],
        everywhere: Int[Tensor, " k"],
        first: int,
    ) -> dict[str, Counted]:
        """Contrast, soft loss and positive rate of some queries against the keys of all, and those of the queue."""
        own = torch.zeros(len(z), len(keys), dtype=torch.bool, device=z.device)
        own[torch.arange(len(z)), first + torch.arange(len(z))] = True
        if self.queue is not None and self.training:
            kept = self.queue.kept()
            keys, others, everywhere = (torch.cat(both) for both in zip((keys, others, everywhere), kept, strict=True))
            own = torch.nn.functional.pad(own, (0, len(kept[2])))
        among = own | ((places[:, None] != everywhere[None]) & (everywhere != NOBODY)[None])
        cosines = likeness(z, keys)
        found = {"contrast": weighted_contrast(cosines / self.config.temperature, own.to(cosines.dtype), among)}
        wanted, asked = soft_targets(labels, others, own)
        asked = asked & among
        if self.config.soft:
            found["soft"] = soft_loss(self.logits(cosines), wanted, asked, self.config.form)
        found["positive-rate"] = positive_rate(wanted, asked & ~own)
        return found

    def _among_views(
        self,
        z: Float[Tensor, "n d"],
        labels: Float[Tensor, "n l"],
        places: Int[Tensor, " n"],
        exchange: Exchange,
    ) -> dict[str, Term]:
        """SupCon, or InfoNCE: each view against all other views of all processes."""
        both = Exchange(tuple(2 * n for n in exchange.counts), exchange.rank)
        keys, others, everywhere = (both.everybody(x) for x in (z, labels, places))
        among = torch.ones(len(z), len(keys), dtype=torch.bool, device=z.device)
        among[torch.arange(len(z)), both.first + torch.arange(len(z))] = False
        own = (places[:, None] == everywhere[None]) & among
        config = self.config
        logits = likeness(z, keys) / config.temperature
        if config.learn == "info-nce":
            sums, counts = weighted_contrast(logits, own.to(logits.dtype), among)
            return {"info-nce": Term(sums.sum(), counts.sum().detach())}
        chosen = positives(config.rule, labels, others, own=own, among=among, power=config.power)
        sums, counts = weighted_contrast(logits, chosen.weights, among)
        scale = config.temperature / (config.base_temperature or config.temperature)
        rate = positive_rate(
            alikeness(config.rule, labels, others, power=config.power),
            known(labels)[:, None] & known(others)[None] & among & ~own,
        )
        self._look_at([rate])
        return {
            "supcon": Term(scale * (sums * chosen.votes).sum(), (counts * chosen.votes).sum().detach()),
            "positive-rate": Term(*rate, 0.0),
        }

    def _sigmoid(
        self, z: Float[Tensor, "n d"], other: Float[Tensor, "n d"], places: Int[Tensor, " n"], exchange: Exchange
    ) -> dict[str, Term]:
        same = places[:, None] == exchange.everybody(places)[None]
        sums, counts = sigmoid_contrast(self.logits(likeness(z, exchange.everybody(other))), same)
        return {"siglip": Term(sums.sum(), counts.sum())}

    def _embed(self, parts: Sequence[Part], *, hidden: bool) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        return _sides(parts, self.embedder(_seen(parts, hidden=hidden)))

    def _look_at(self, rates: Sequence[Counted]) -> None:
        """Warn, once, where the labels of a batch that is learned from hardly tell places apart."""
        if self._warned or not self.training:
            return
        alike, pairs = (float(torch.stack([r[k] for r in rates]).sum()) for k in (0, 1))
        if pairs and alike / pairs > TOO_MANY:
            self._warned = True
            log.warning(
                "%.0f %% of the pairs of places with labels are positive, so that labels hardly tell places apart; "
                "give a larger objective.present_from%s",
                100 * alike / pairs,
                ", or another objective.rule" if self.config.learn == "supcon" else "",
            )


def place_number(key: str) -> int:
    """A number from 0 to 2^63 that belongs to a place, the same on every process."""
    return int.from_bytes(hashlib.sha256(place_of(key).encode()).digest()[:8]) >> 1


def _seen(parts: Sequence[Part], *, hidden: bool) -> list[Seen]:
    return [(part.batch, part.at if hidden else None) for part in parts]


def _sides(parts: Sequence[Part], found: Sequence[Tensor]) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
    """Vectors of first and of second looks, pair by pair."""
    at = torch.tensor([i for part in parts for i in part.looks], dtype=torch.long, device=found[0].device)
    first, second = torch.cat(list(found))[at.argsort()].chunk(2) if len(at) else (found[0], found[0])
    return first, second


def _heads(width: int, config: SceneConfig, seed: int) -> nn.ModuleDict:
    """Projector and predictor; their values come from `seed`, not from the global generator."""
    with torch.device("meta"):
        heads = nn.ModuleDict(
            {
                "project": _mlp(width, config.hidden, config.projected),
                "predict": _mlp(config.projected, config.hidden, config.projected),
            }
        )
    heads.to_empty(device="cpu")
    with torch.no_grad():
        initialise(heads, torch.Generator().manual_seed(seed))
    return heads


def _mlp(width: int, hidden: int, out: int) -> nn.Sequential:
    """Two layers; normed per item, so that no item depends on its neighbours in the batch."""
    return nn.Sequential(nn.Linear(width, hidden), nn.LayerNorm(hidden), nn.GELU(), nn.Linear(hidden, out))
