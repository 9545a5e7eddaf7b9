"""The zoo: every model by name, and how it is loaded."""

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from types import MappingProxyType

from jaxtyping import Float
from torch import Tensor

from armillary.errors import BadInput, WeightsMissing
from armillary.models.cop_gen import CopGen, cop_gen_of
from armillary.models.cop_gen_sizes import COP_GEN, CopGenConfig
from armillary.models.copernicus_fm import CopernicusFM, random_model, random_sentence_projection
from armillary.models.fomo_net import FoMoNet, fomo_of, random_fomo
from armillary.models.fomo_sizes import FOMO_NETS, FoMoConfig
from armillary.models.language import read_vectors
from armillary.models.resnet import RESNETS, ResNet, ResNetConfig, random_resnet, resnet_of
from armillary.models.sizes import SIZES, CopernicusFMConfig, Quirks
from armillary.models.vit import VITS, ViT, ViTConfig, random_vit, vit_of
from armillary.models.weights import OWN_PREFIX, PACKAGED, load_state, locate, read_tensors

DEFAULT_MODEL = "copernicus-fm-nano"
"""What embeds where no model is named."""

DEFAULT_WEIGHTS: Mapping[str, str] = MappingProxyType(
    {name: f"{PACKAGED}{name}.safetensors" for name in ("copernicus-fm-nano", "cop-gen-nano", "cop-gen-thumb")}
)
"""Model name -> where its default weights are."""

_COPERNICUS_FM, _SOFTCON = "hf://wangyi111/Copernicus-FM", "hf://wangyi111/softcon"
_DINOV2, _TORCHGEO = "https://dl.fbaipublicfiles.com/dinov2", "hf://torchgeo"

OFFICIAL_FILES: Mapping[str, str] = MappingProxyType(
    {
        "copernicus-fm-base": f"{_COPERNICUS_FM}/CopernicusFM_ViT_base_varlang_e100.pth",
        "copernicus-fm-large": f"{_COPERNICUS_FM}/CopernicusFM_ViT_large_varlang_e100.pth",
        "dinov2-small": f"{_DINOV2}/dinov2_vits14/dinov2_vits14_pretrain.pth",
        "dinov2-base": f"{_DINOV2}/dinov2_vitb14/dinov2_vitb14_pretrain.pth",
        "dinov2-large": f"{_DINOV2}/dinov2_vitl14/dinov2_vitl14_pretrain.pth",
        "dinov2-small-registers": f"{_DINOV2}/dinov2_vits14/dinov2_vits14_reg4_pretrain.pth",
        "dinov2-base-registers": f"{_DINOV2}/dinov2_vitb14/dinov2_vitb14_reg4_pretrain.pth",
        "dinov2-large-registers": f"{_DINOV2}/dinov2_vitl14/dinov2_vitl14_reg4_pretrain.pth",
        "softcon-small-s2": f"{_SOFTCON}/B13_vits14_softcon.pth",
        "softcon-base-s2": f"{_SOFTCON}/B13_vitb14_softcon.pth",
        "softcon-small-s1": f"{_SOFTCON}/B2_vits14_softcon.pth",
        "softcon-base-s1": f"{_SOFTCON}/B2_vitb14_softcon.pth",
        "softcon-small-s2-zscores": f"{_SOFTCON}/B13_vits14_softcon.pth",
        "softcon-base-s2-zscores": f"{_SOFTCON}/B13_vitb14_softcon.pth",
        "softcon-small-s1-zscores": f"{_SOFTCON}/B2_vits14_softcon.pth",
        "softcon-base-s1-zscores": f"{_SOFTCON}/B2_vitb14_softcon.pth",
        "softcon-resnet50-s2": f"{_SOFTCON}/B13_rn50_softcon.pth",
        "softcon-resnet50-s1": f"{_SOFTCON}/B2_rn50_softcon.pth",
        "softcon-resnet50-s2-zscores": f"{_SOFTCON}/B13_rn50_softcon.pth",
        "softcon-resnet50-s1-zscores": f"{_SOFTCON}/B2_rn50_softcon.pth",
        "moco-resnet50-s2": f"{_TORCHGEO}/resnet50_sentinel2_all_moco/resnet50_sentinel2_all_moco-df8b932e.pth",
        "moco-resnet50-s1": f"{_TORCHGEO}/resnet50_sentinel1_all_moco/resnet50_sentinel1_all_moco-906e4356.pth",
        "dino-resnet50-s2": f"{_TORCHGEO}/resnet50_sentinel2_all_dino/resnet50_sentinel2_all_dino-d6c330e9.pth",
        "decur-resnet50-s2": f"{_TORCHGEO}/decur/rn50_ssl4eo-s12_ms_decur_ep100-fc6b09ff.pth",
        "decur-resnet50-s1": f"{_TORCHGEO}/decur/rn50_ssl4eo-s12_sar_decur_ep100-f0e69ba2.pth",
        "resnet50-s2-l2a": f"{_TORCHGEO}/seco-eco/resnet50_sentinel2_all_seco_eco-a273eb78.pth",
        "fomo-net-1": "https://www.dropbox.com/scl/fi/4ckmxlcbc0tcod8hknp7c/fomo_single_embedding_layer_weights.pt",
        "cop-gen-beta": "hf://mespinosami/COP-GEN-Beta/nnet_ema_114000.pth",
        "cop-gen-base": "hf://mespinosami/copgen-base/500000_nnet_ema.pth",
    }
)
"""Model name -> where its authors publish it.

Copernicus-FM and COP-GEN: CC-BY-4.0; DINOv2, SoftCon and SSL4EO-S12: Apache-2.0; FoMo-Net: MIT; COP-GEN-Beta: its
authors name no licence.
"""

Config = CopernicusFMConfig | ViTConfig | ResNetConfig | FoMoConfig
"""What builds a model that embeds."""

ZOO: Mapping[str, Config] = MappingProxyType({**SIZES, **VITS, **RESNETS, **FOMO_NETS})
"""Name of a model that embeds -> the configuration that builds it. Those that generate are in `COP_GEN`."""

Encoder = CopernicusFM | ViT | ResNet | FoMoNet
"""What embeds."""

Model = Encoder | CopGen
"""What `load_model` gives."""


def load_model(
    name: str,
    weights: str | PathLike[str] | None = "default",
    *,
    vectors: str | PathLike[str] | Mapping[str, Float[Tensor, " d"]] | None = None,
    sentence_route: bool | None = None,
    quirks: Quirks | None = None,
    seed: int = 0,
) -> Model:
    """A model in eval mode, on the CPU, in float32. Weights of what is in `DEFAULT_WEIGHTS` ship; no network is needed.

    Args:
        name: as in `ZOO` or `armillary.models.cop_gen.COP_GEN`.
        weights: "default" (what ships), None (random), a .safetensors or .pth file, or "hf://owner/repo/file".
        vectors: official language vectors of named bands: the authors' .pt file, a .safetensors file, or a mapping.
        sentence_route: let named bands without an official vector pass through the project's own text projection.
            None: only for random weights, or when the file holds that projection. Official weights never saw it.
        quirks: which upstream mistakes are kept; None = all that the released weights need.
        seed: of random weights.

    `vectors`, `sentence_route` and `quirks` are Copernicus-FM's alone.

    Raises:
        BadInput: no such model, or it takes no such argument.
        WeightsMissing: no such file, or it cannot be fetched.
        WeightsMismatch: the file is not of this model; every difference is listed.

    Example:
        >>> from armillary.models.zoo import load_model
        >>> load_model("copernicus-fm-nano").config.width
        256
        >>> load_model("copernicus-fm-small", weights=None).config.width  # random
        384
    """
    if name not in COP_GEN:
        return load_encoder(name, weights, vectors=vectors, sentence_route=sentence_route, quirks=quirks, seed=seed)
    _refuse_extras(name, vectors, sentence_route, quirks)
    return _cop_gen(name, COP_GEN[name], weights, seed)


def load_encoder(
    name: str,
    weights: str | PathLike[str] | None = "default",
    *,
    vectors: str | PathLike[str] | Mapping[str, Float[Tensor, " d"]] | None = None,
    sentence_route: bool | None = None,
    quirks: Quirks | None = None,
    seed: int = 0,
) -> Encoder:
    """A model that embeds; arguments and errors as for `load_model`, and one that generates is refused."""
    if name in COP_GEN:
        raise BadInput(f"{name} generates, it does not embed; models that embed are {', '.join(ZOO)}")
    if name not in ZOO:
        raise BadInput(f"no model is called {name!r}; known are {', '.join((*ZOO, *COP_GEN))}")
    config = ZOO[name]
    if not isinstance(config, CopernicusFMConfig):
        _refuse_extras(name, vectors, sentence_route, quirks)
        return _plain(name, config, weights, seed)
    config = config if quirks is None else replace(config, quirks=quirks)
    table = vectors if isinstance(vectors, Mapping) else None if vectors is None else read_vectors(vectors)
    if weights is None:
        return random_model(replace(config, sentence_route=sentence_route is not False), seed=seed, vectors=table)
    source = _default(name) if weights == "default" else weights
    return _from_file(config, source, vectors=table, sentence_route=sentence_route, seed=seed)


def _default(name: str) -> str:
    if name in DEFAULT_WEIGHTS:
        return DEFAULT_WEIGHTS[name]
    official = OFFICIAL_FILES.get(name)
    where = f" (the authors publish {official})" if official else ""
    raise WeightsMissing(
        f"no weights of {name} ship with this version; give weights= a .pth or .safetensors file or hf://owner/repo/file"
        f"{where}, or weights=None for random ones"
    )


def _refuse_extras(name: str, *extras: object) -> None:
    if any(e is not None for e in extras):
        raise BadInput(
            f"{name} takes no vectors=, sentence_route= or quirks=; these are Copernicus-FM's: leave them out"
        )


def _cop_gen(name: str, config: CopGenConfig, weights: str | PathLike[str] | None, seed: int) -> CopGen:
    if weights is None:
        return CopGen(config, seed=seed).eval()
    source = _default(name) if weights == "default" else weights
    return cop_gen_of(config, read_tensors(locate(source)), source=str(source))


def _plain(
    name: str, config: ViTConfig | ResNetConfig | FoMoConfig, weights: str | PathLike[str] | None, seed: int
) -> ViT | ResNet | FoMoNet:
    source = _default(name) if weights == "default" else weights
    state = None if source is None else read_tensors(locate(source))
    match config:
        case ViTConfig():
            return random_vit(config, seed=seed) if state is None else vit_of(config, state, source=str(source))
        case ResNetConfig():
            return random_resnet(config, seed=seed) if state is None else resnet_of(config, state, source=str(source))
        case FoMoConfig():
            return random_fomo(config, seed=seed) if state is None else fomo_of(config, state, source=str(source))


def native_patch_px(model: object) -> int | None:
    """Side of the patches of a model that has no choice; None for one that takes any."""
    return model.config.patch_px if isinstance(model, ViT | ResNet | FoMoNet) else None


def _from_file(
    config: CopernicusFMConfig,
    source: str | PathLike[str],
    *,
    vectors: Mapping[str, Float[Tensor, " d"]] | None,
    sentence_route: bool | None,
    seed: int,
) -> CopernicusFM:
    state = read_tensors(locate(source))
    own = f"{OWN_PREFIX}sentence.weight" in state
    config = replace(
        config,
        pooled_affine="fc_norm.weight" in state,
        cls_affine="norm.weight" in state,
        sentence_route=own if sentence_route is None else sentence_route or own,
    )
    if config.sentence_route and not own:
        state |= {f"{OWN_PREFIX}sentence.{k}": v for k, v in random_sentence_projection(seed).items()}
    model = CopernicusFM(config, vectors)
    load_state(model, state, source=str(source), remedy=_remedy(state))
    return model.eval()


def _remedy(state: Mapping[str, Tensor]) -> str:
    """Which model of the zoo a file seems to be of."""
    cls = state.get("cls_token")
    known = [(n, c.width) for n, c in ZOO.items() if isinstance(c, CopernicusFMConfig)]
    alike = [n for n, width in known if cls is not None and cls.shape[-1] == width]
    return (
        f"its width is that of {', '.join(alike)}" if alike else "no model of the zoo has its width; see armillary info"
    )
