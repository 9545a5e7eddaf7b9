"""Distillation: a student learns to say what frozen teachers say, at the same place.

A *lesson* is a teacher, the sensors through which the student looks while the teacher looks at its own, and how far
apart the two are. Copernicus-FM's pretraining has one: DINOv2 sees red, green and blue of Sentinel-2, and the mean
cosine distance weighs 0.1 (arXiv:2503.11849, sec. 4.4 and the code published with it). That code makes mistakes;
`UpstreamMistakes` and the card "dinov2-zscores" reproduce each, and all are off.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, smooth_l1_loss

from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.intake import CARDS, TRUE_COLOUR
from armillary.models.vit import ViT
from armillary.nn.block import BLOCK_EPS
from armillary.nn.init import initialise
from armillary.sample.batch import Batch
from armillary.sample.sample import Sample
from armillary.sample.stream import Draw
from armillary.train.objective import Term
from armillary.train.teachers import MapTeacher, ModelTeacher, Teacher
from armillary.train.vary import drop_facts

UPSTREAM_WEIGHT = 0.1
"""Weight of the released code; the paper has a second teacher, SoftCon, with 0.2, which the code lacks."""

_AGAIN = 1
"""Added to a seed for the second of upstream's two draws."""


@dataclass(frozen=True)
class UpstreamMistakes:
    """What the released pretraining code does and should not.

    One more, z-scores for a teacher that was trained on ImageNet's numbers, is a card: `CARDS["dinov2-zscores"]`.

    Args:
        unnormed_with_cls: the student's vector is the mean over the extra token and all patches, before the last
            norm, where the teacher's is the mean over normed patches. It is used nowhere else.
        teacher_registered: the teacher is a part of the objective: it sits in an optimiser made of all parameters,
            and in every checkpoint.
        facts_dropped_twice: place, time and area of the lesson's pass are the tensor of the reconstruction's pass, in
            which they were dropped already, so that they are unknown with 1 - (1 - p)^2.
    """

    unnormed_with_cls: bool = False
    teacher_registered: bool = False
    facts_dropped_twice: bool = False


RIGHT = UpstreamMistakes()
AS_UPSTREAM = UpstreamMistakes(unnormed_with_cls=True, teacher_registered=True, facts_dropped_twice=True)


@dataclass(frozen=True, eq=False)
class Whitening:
    """Vectors to vectors of mean 0 whose components are uncorrelated with variance 1: (x - mean) matrix.

    Args:
        mean: of each component.
        matrix: symmetric.
    """

    mean: Float[Tensor, " d"]
    matrix: Float[Tensor, "d d"]

    @classmethod
    def of(cls, vectors: Float[Tensor, "n d"], floor: float = 1e-2) -> "Whitening":
        """From examples; rows with a NaN are left out.

        Directions whose variance, after each component is standardised, is under `floor` of the largest are not blown
        up further than those at the floor: with fewer examples than components there always are such.
        """
        x = vectors[torch.isfinite(vectors).all(dim=1)].double()
        if len(x) < 2:
            raise BadInput(f"{len(x)} whole vectors have no covariance; give some hundred, without NaN")
        mean, std = x.mean(dim=0), x.std(dim=0)
        scale = torch.where(std > 0, 1 / std.clamp_min(torch.finfo(torch.float32).tiny), 0.0)
        z = (x - mean) * scale
        values, axes = torch.linalg.eigh(z.T @ z / (len(z) - 1))
        root = axes / values.clamp_min(floor * float(values[-1])).sqrt() @ axes.T
        return cls(mean.float(), (scale[:, None] * root).float())

    def __call__(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
        """The vectors, whitened."""
        return (x - self.mean.to(x)) @ self.matrix.to(x)


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from one teacher.

    Args:
        teacher: it says what is right.
        weights: sensor that the student looks through -> weight in the loss; others are no part of this lesson.
        loss: "cosine": 1 - cosine. "smooth-l1": Huber's loss with delta 1, the mean over components; needs `whitening`
            where components differ in size. Maps take "smooth-l1".
        looks_at: sensor of the student -> sensor that the teacher sees at the same place; absent means the same. Only
            for sensors that are drawn from the same ground.
        student_bands: what the student sees of its sensor; () is all there is.
        hidden: width of the hidden layer of the projection; None: one linear layer.
        whitening: of the targets.
    """

    teacher: Teacher | MapTeacher
    weights: Mapping[str, float]
    loss: Literal["cosine", "smooth-l1"] = "cosine"
    looks_at: Mapping[str, str] = field(default_factory=dict)
    student_bands: tuple[str, ...] = ()
    hidden: int | None = None
    whitening: Whitening | None = None

    def __post_init__(self) -> None:
        blind = [s for s in self.weights if self.looks_at.get(s, s) not in self.teacher.sensors]
        if blind:
            raise BadInput(
                f"{self.teacher.name} reads {', '.join(self.teacher.sensors)}, not {', '.join(blind)}; leave these "
                "out, or say in looks_at= which of its sensors shows the same ground"
            )
        if isinstance(self.teacher, MapTeacher) and self.loss != "smooth-l1":
            raise BadInput(f"{self.teacher.name} gives maps, which have no direction; choose loss='smooth-l1'")

    @property
    def width(self) -> int:
        """Length of what is predicted: of a vector, or of one cell of a map."""
        return self.teacher.layers if isinstance(self.teacher, MapTeacher) else self.teacher.width


def as_upstream(teacher: ViT) -> Lesson:
    """The lesson of the released code: z-scores into DINOv2, red, green and blue into the student."""
    frozen = ModelTeacher("dinov2", teacher, teacher.config.width, card=CARDS["dinov2-zscores"], side_px=224)
    return Lesson(frozen, {"s2-l1c": UPSTREAM_WEIGHT}, student_bands=TRUE_COLOUR)


class Head(nn.Module):
    """What stands between a student and a teacher: a projection, and the whitening that its targets pass.

    Args:
        lesson: says how wide and which.
        width: of the student.
        rng: of the first values.
    """

    def __init__(self, lesson: Lesson, width: int, rng: torch.Generator) -> None:
        super().__init__()
        maps = isinstance(lesson.teacher, MapTeacher)
        self.norm = nn.LayerNorm(width, eps=BLOCK_EPS) if maps else nn.Identity()
        n = lesson.hidden
        layers = (
            [nn.Linear(width, lesson.width)]
            if n is None
            else [nn.Linear(width, n), nn.GELU(), nn.Linear(n, lesson.width)]
        )
        self.project = nn.Sequential(*layers)
        initialise(self, rng)

    def forward(self, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
        """The student's words in the teacher's language."""
        out: Tensor = self.project(self.norm(x))
        return out.float()


@dataclass(frozen=True, eq=False)
class Said:
    """What the student says of some items: one vector each, and a map without norm."""

    vector: Float[Tensor, "b d"]
    grid: Float[Tensor, "b d h w"]


class Distillation(nn.Module):
    """Lessons for one student, as an objective.

    Args:
        student: it learns; other objectives may hold it too.
        lessons: at least one, by teachers of different names.
        drop: probability that each fact of an item (place, time, area) is unknown to the student.
        mistakes: of upstream.
        seed: of the projections' first values.
    """

    def __init__(
        self,
        student: CopernicusFM,
        lessons: Sequence[Lesson],
        *,
        drop: float = 0.0,
        mistakes: UpstreamMistakes = RIGHT,
        seed: int = 0,
    ) -> None:
        super().__init__()
        names = [lesson.teacher.name for lesson in lessons]
        if not names or len(set(names)) < len(names):
            raise BadInput(
                f"lessons by {', '.join(names) or 'nobody'} cannot be told apart; give each a name of its own"
            )
        self.student = student
        self.lessons = tuple(lessons)
        self.drop = drop
        self.mistakes = mistakes
        rng = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.heads = nn.ModuleList([Head(lesson, student.config.width, rng) for lesson in self.lessons])
        if mistakes.teacher_registered:
            models = [t.model for t in (x.teacher for x in self.lessons) if isinstance(t, ModelTeacher)]
            frozen = (m.requires_grad_(requires_grad=False) for m in models if isinstance(m, nn.Module))
            self.teachers = nn.ModuleList(frozen)

    def forward(self, draw: Draw) -> dict[str, Term]:
        """One term per lesson and sensor: "distill/<teacher>/<sensor>"; sensors that are absent have none."""
        seen: dict[tuple[str, tuple[str, ...], tuple[int, ...]], Said] = {}
        terms: dict[str, Term] = {}
        for lesson, head in zip(self.lessons, self.heads, strict=True):
            assert isinstance(head, Head)  # noqa: S101 (made above)
            for sensor, weight in lesson.weights.items():
                parts = []
                for pairs in _alike(_pairs(draw, sensor, lesson.looks_at.get(sensor, sensor))):
                    key = (sensor, lesson.student_bands, tuple(pair.item for pair in pairs))
                    if key not in seen:
                        seen[key] = self._look(draw, *key)
                    parts.append(compare(lesson, head, seen[key], [pair.shown for pair in pairs]))
                if parts:
                    loss, counted = (torch.cat(part).sum() for part in zip(*parts, strict=True))
                    terms[f"distill/{lesson.teacher.name}/{sensor}"] = Term(loss, counted, weight)
        return terms

    def _look(self, draw: Draw, sensor: str, bands: tuple[str, ...], items: tuple[int, ...]) -> Said:
        samples = [_narrowed(draw.samples[sensor][i], bands) for i in items]
        seeds = [draw.seeds[draw.rows[sensor][i]] for i in items]
        batch = drop_facts(self.student.card.collate(samples), seeds, self.drop)
        if self.mistakes.facts_dropped_twice:
            batch = drop_facts(batch, [seed + _AGAIN for seed in seeds], self.drop)
        batch = batch.to(next(self.student.parameters()).device)
        return look(self.student, batch, self.mistakes)


def look(student: CopernicusFM, batch: Batch, mistakes: UpstreamMistakes = RIGHT) -> Said:
    """What the student says of a batch, all patches visible."""
    if not mistakes.unnormed_with_cls:
        tokens = student(batch)
        return Said(tokens.pooled, tokens.grid)
    x, (rows, columns) = student.enter(batch)
    last = student.trunk(x, ())[-1]
    grid = last[:, 1:].unflatten(1, (rows, columns)).permute(0, 3, 1, 2)
    return Said(last.mean(dim=1, dtype=torch.float32), grid)


def compare(
    lesson: Lesson, head: Head, said: Said, shown: Sequence[Sample]
) -> tuple[Float[Tensor, " b"], Float[Tensor, " b"]]:
    """How far each item is from what its teacher says, summed over what is counted, and how much that is.

    An item counts 1; on a map, every cell of which the teacher can say something counts 1.
    """
    if isinstance(lesson.teacher, MapTeacher):
        maps = lesson.teacher.on_grid(shown, *said.grid.shape[-2:])
        target, predicted = maps.permute(0, 2, 3, 1).flatten(1, 2), head(said.grid.permute(0, 2, 3, 1).flatten(1, 2))
    else:
        target, predicted = lesson.teacher(shown)[:, None], head(said.vector)[:, None]
    target = target.to(predicted.device)
    if lesson.whitening is not None:
        target = lesson.whitening(target)
    apart = cosine_distance if lesson.loss == "cosine" else huber
    loss, counted = apart(predicted, target)
    return (loss * counted).sum(dim=1), counted.sum(dim=1)


def cosine_distance(
    predicted: Float[Tensor, "b n d"], target: Float[Tensor, "b n d"]
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """1 - cosine of each pair, and 1 where the target is whole, 0 where it holds a NaN."""
    whole = torch.isfinite(target).all(dim=-1)
    safe = torch.where(whole[..., None], target, 1.0)
    return 1 - cosine_similarity(predicted, safe, dim=-1), whole.to(predicted.dtype)


def huber(
    predicted: Float[Tensor, "b n d"], target: Float[Tensor, "b n d"]
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n"]]:
    """Huber's loss, the mean over the components that are known, and 1 where there is one, else 0."""
    known = torch.isfinite(target)
    error = smooth_l1_loss(predicted, torch.where(known, target, 0.0), reduction="none") * known
    many = known.sum(dim=-1)
    return error.sum(dim=-1) / many.clamp_min(1), (many > 0).to(predicted.dtype)


@dataclass(frozen=True, eq=False)
class _Pair:
    """What the student sees and what its teacher is shown, at one place."""

    item: int
    sample: Sample
    shown: Sample


def _pairs(draw: Draw, sensor: str, other: str) -> list[_Pair]:
    """Samples of one sensor, each with the sample of another sensor at its place."""
    if sensor not in draw.samples or other not in draw.samples:
        return []
    at = {row: i for i, row in enumerate(draw.rows[other])}
    mine = zip(draw.samples[sensor], draw.rows[sensor], strict=True)
    return [_Pair(i, s, draw.samples[other][at[row]]) for i, (s, row) in enumerate(mine) if row in at]


def _alike(pairs: Sequence[_Pair]) -> list[list[_Pair]]:
    """Pairs that may share a batch: the same bands and sizes on both sides."""
    found: dict[tuple[object, ...], list[_Pair]] = {}
    for pair in pairs:
        both = (pair.sample, pair.shown)
        found.setdefault(tuple((s.sensor.band_names, s.pixels.shape) for s in both), []).append(pair)
    return list(found.values())


def _narrowed(sample: Sample, bands: tuple[str, ...]) -> Sample:
    if not bands:
        return sample
    return replace(sample, pixels=sample.pixels[list(sample.sensor.index(bands))], sensor=sample.sensor.select(bands))
