"""Any encoder of the zoo, taught by land cover: SoftCon (arXiv:2405.20462), and what it is to be compared with.

`SOFTCON`, `SUPCON`, `INFO_NCE` and `SIGLIP` differ in what is asked of two views of a place; `MAE` rebuilds hidden
patches. `tera_ops` gives each the same compute, whatever its step costs. Defaults suit the nano size and the packaged
sample on a laptop.
"""

from dataclasses import field, fields, replace
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass
from torch import nn

from armillary.earth.legend import find_legend
from armillary.errors import BadInput
from armillary.models.copernicus_fm import CopernicusFM
from armillary.models.mae import DECODERS, NANO_DECODER, MaskedAutoencoder, load_autoencoder
from armillary.models.zoo import load_encoder
from armillary.recipes.copernicus_fm import HELD_OUT_SEED, CopernicusFMRecipe, take_over
from armillary.recipes.places import SHARE, Places, open_places
from armillary.sample.augment import Augment
from armillary.sample.scene_labels import SceneLabels, read_labels
from armillary.sample.ssl4eo import FOLDERS, SSL4EOS12
from armillary.sample.stream import Stream, hold_out
from armillary.train.compute import steps_for
from armillary.train.config import TrainConfig
from armillary.train.health import embed_draw
from armillary.train.labels import COVER, LabelSource, ones_of
from armillary.train.objective import Objective
from armillary.train.optim import OptimConfig
from armillary.train.pretrain import PretrainConfig, Pretraining
from armillary.train.reconstruct import Targets
from armillary.train.run import Job
from armillary.train.softcon import SceneConfig, SceneContrast

LABELS = "labels.json"
"""Beside the data, labels of their places in the layout of SSL4EO-S12-ML."""

LOOKED_AT = 4
"""Batches that are looked at for maps of land cover before the first step."""

WEIGHED = 2
"""Draws by which a step is weighed."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class SoftConRecipe(TrainConfig):
    """What is trained, on which crops, and how.

    Args:
        on: name of the encoder in the zoo that goes on learning.
        weights: that it begins with: "default" (what ships), null (random, from scratch), or a file.
        begin: folder of a run whose last values are taken over; "" is none.
        objective: what is learned from two views of a place.
        rebuild: masked reconstruction in place of that, for Copernicus-FM; null: none.
        labels: file of the places' labels in the layout of SSL4EO-S12-ML; "": labels.json beside the data.
        legend: of maps called land-cover among the data, by which each crop has its own labels; "": not looked at.
        seasons: whether the two views of a place are two draws of it, at other dates where there are some.
        augment: random crops. Labels are of whole scenes, so a crop should show at least half of one.
        tera_ops: compute of the whole training in 1e12 operations, in place of `steps`; null: none is asked.
    """

    steps: Annotated[int, Field(gt=0)] = 100
    batch_size: Annotated[int, Field(gt=0)] = 16
    optim: OptimConfig = OptimConfig(lr=3e-4, warmup_steps=15)
    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = 0.98
    held_out_every: Annotated[int, Field(gt=0)] = 25
    checkpoint_every: Annotated[int, Field(gt=0)] = 50
    on: str = "copernicus-fm-nano"
    weights: str | None = "default"
    begin: str = ""
    objective: SceneConfig = field(default_factory=SceneConfig)
    rebuild: PretrainConfig | None = None
    labels: str = ""
    legend: str = ""
    seasons: bool = False
    augment: Augment | None = replace(CopernicusFMRecipe().augment or Augment(), scale=(0.5, 1.0))
    tera_ops: Annotated[float, Field(gt=0)] | None = None


SOFTCON = SoftConRecipe()
SUPCON = replace(SOFTCON, objective=SceneConfig(learn="supcon"))
INFO_NCE = replace(SOFTCON, objective=SceneConfig(learn="info-nce"))
SIGLIP = replace(SOFTCON, objective=SceneConfig(learn="siglip"))
MAE = replace(SOFTCON, rebuild=PretrainConfig(targets=Targets(scale="values"), band_subsets=1))


def labelled_places(folder: Path | None, config: SoftConRecipe) -> Places:
    """What `open_places` takes, or a folder of SSL4EO-S12, with the labels that are known of it.

    Raises:
        SceneNotFound: no such folder, or no such file of labels.
        BadInput: no such legend.
    """
    legend = find_legend(config.legend) if config.legend else None
    if folder is None:
        with as_file(files("armillary") / "data" / "tiles" / LABELS) as shipped:
            found = read_labels(Path(config.labels) if config.labels else shipped)
        return replace(open_places(None), labels=LabelSource(ones_of(_by_place(found)), legend))
    path = Path(config.labels) if config.labels else folder / LABELS
    known = read_labels(path) if config.labels or path.is_file() else None
    if any((folder / name).is_dir() for name in FOLDERS.values()):
        source = SSL4EOS12(folder, labels=known)
        train, held_out = hold_out(source, SHARE)
        seasons = {key: ones_of(found) for key, found in source.changing_labels().items()}
        labels = LabelSource(ones_of(source.label_table()), legend, seasons)
        return Places(source, source, train, held_out, labels)
    return replace(open_places(folder), labels=LabelSource(ones_of(_by_place(known or {})), legend))


def softcon(config: SoftConRecipe, places: Places) -> Job:
    """The run of a configuration.

    Raises:
        BadInput: no such encoder, labels are needed and there are none, or what cannot go together.
    """
    _check(config)
    stream = Stream(
        places.train,
        config.batch_size,
        seed=config.seed,
        change=config.augment,
        places=places.train_places,
        repeats=2 if config.seasons else 1,
        workers=config.workers,
    )
    if config.rebuild is None and config.objective.labelled:
        _refuse_unlabelled(places, stream)
    if config.tera_ops is not None:
        draws = [draw for draw, _ in zip(stream, range(WEIGHED), strict=False)]
        config = replace(config, steps=steps_for(config.tera_ops, _objective(config, places.labels), draws))
    return Job(
        name="softcon",
        build=lambda: _objective(config, places.labels),
        model=_encoder,
        stream=stream,
        held_out=replace(
            stream,
            source=places.held_out,
            seed=config.seed + HELD_OUT_SEED,
            places=places.held_out_places,
            workers=0,
        ),
        config=config,
        facts={"model": config.on, "objective": "masked pretraining" if config.rebuild else config.objective.learn},
        embed=lambda objective, draw: embed_draw(_encoder(objective), draw),
        labels="" if config.rebuild is not None or config.objective.deaf else places.labels.checksum(),
    )


def _check(config: SoftConRecipe) -> None:
    """What a configuration asks for must go together."""
    _refuse_idle(config)
    if config.rebuild is not None:
        return
    pairs = config.batch_size // (2 if config.seasons else 1)
    if config.objective.learn == "softcon" and config.objective.contrast == config.objective.soft == 0:
        raise BadInput("contrast=0 and soft=0 were asked, and nothing would be learned; give one of them a weight")
    if pairs < 2:
        raise BadInput(
            f"batch_size={config.batch_size} holds {pairs} place(s) and each is compared with others; give at least "
            f"{4 if config.seasons else 2}"
        )
    if config.accumulate > 1:
        raise BadInput(
            f"accumulate={config.accumulate} was asked; a part would be compared with itself alone, so give a smaller "
            "batch_size, or more processes, which do see each other"
        )
    if config.objective.queue % (2 * pairs):
        raise BadInput(
            f"a queue of {config.objective.queue} keys does not hold whole steps of {2 * pairs} (two views of {pairs} "
            f"places); give objective.queue a multiple of {2 * pairs}"
        )
    if config.strategy == "fsdp" and config.objective.learn == "softcon":
        raise BadInput("a momentum encoder cannot follow parameters that are shared out; use strategy=ddp")


def _refuse_idle(config: SoftConRecipe) -> None:
    """What was asked must have an effect."""
    rebuilds, plain = config.rebuild is not None, SceneConfig()
    changed = tuple(f.name for f in fields(plain) if getattr(config.objective, f.name) != getattr(plain, f.name))
    idle = {
        f"objective.{name}": getattr(config.objective, name)
        for name in (changed if rebuilds else config.objective.idle)
    }
    if rebuilds or config.objective.deaf:
        idle |= {name: asked for name in ("labels", "legend") if (asked := getattr(config, name))}
    if idle:
        raise BadInput(
            f"{', '.join(f'{name}={asked}' for name, asked in idle.items())} was asked and has no effect where "
            f"{'hidden patches are rebuilt' if rebuilds else f'objective.learn={config.objective.learn}'}; leave it out"
        )


def _refuse_unlabelled(places: Places, stream: Stream) -> None:
    """Labels must be of these places; a map tells of what is drawn."""
    own, train = places.labels, places.train
    chosen = range(len(train)) if places.train_places is None else places.train_places
    if any(own.knows(train.key(i)) for i in chosen):
        return
    if own.legend is not None and any(not bool(own.of(d).isnan().all()) for d in islice(stream, LOOKED_AT)):
        return
    of = f"{len(own.table)} places have labels and none of them is among the {len(chosen)} to learn from"
    maps = "" if own.legend is None else f", and {LOOKED_AT} batches hold no map called {COVER}"
    raise BadInput(
        f"learning from labels was asked, {of}{maps}; give labels= of these places, or objective.learn=info-nce"
    )


def _objective(config: SoftConRecipe, labels: LabelSource) -> Objective:
    made: SceneContrast | Pretraining
    if config.rebuild is not None:
        made = Pretraining(_autoencoder(config), config.rebuild, seed=config.seed)
    else:
        encoder = load_encoder(config.on, config.weights, seed=config.seed).train()
        made = SceneContrast(encoder, config.objective, labels, steps=config.steps, seed=config.seed)
    if config.begin:
        take_over(made, Path(config.begin))
    return made


def _autoencoder(config: SoftConRecipe) -> MaskedAutoencoder:
    if config.weights == "default" and config.on in DECODERS:
        return load_autoencoder(config.on).train()
    encoder = load_encoder(config.on, config.weights, seed=config.seed)
    if not isinstance(encoder, CopernicusFM):
        raise BadInput(f"{config.on} has no decoder, so nothing can be rebuilt; choose on= a size of Copernicus-FM")
    decoder = DECODERS[config.on][0] if config.on in DECODERS else NANO_DECODER
    return MaskedAutoencoder(encoder, decoder, seed=config.seed).train()


def _encoder(objective: Objective) -> nn.Module:
    if isinstance(objective, Pretraining):
        own: nn.Module = objective.mae.encoder
        return own
    assert isinstance(objective, SceneContrast)  # noqa: S101 (what `_objective` makes)
    return objective.encoder


def _by_place(found: SceneLabels) -> dict[str, tuple[int, ...]]:
    """Location -> the classes of all its scenes."""
    return {
        location: tuple(sorted({c for classes in products.values() for c in classes}))
        for location, products in found.items()
    }
