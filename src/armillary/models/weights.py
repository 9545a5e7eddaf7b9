"""Weights: from a file or a hub to a model, strictly, and back.

The one place that knows the *official* key names of Copernicus-FM, of the layouts of DINOv2 and of torchvision's
ResNet, of COP-GEN and of FoMo-Net. Inside,
parameters are called by what they are; `official_name` says what each is called on file. A file of another shape is
refused with the full list of differences.
"""

import hashlib
import json
import math
import pickle
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from os import PathLike
from pathlib import Path
from typing import cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from armillary.errors import WeightsMismatch, WeightsMissing, need

HUB = "hf://"

UNDER = ("model", "state_dict", "nnet_ema", "ema", "nnet", "teacher")
"""Under which names a file may hold its tensors beside other things; averaged ones before those they average."""

PACKAGED = "package://"
"""An address that begins with this is a file that ships with this program, in models/data."""

IGNORED = ("head.", "mlp_head.", "mask_token")
"""Keys that belong to a classifier or to pretraining; the encoder does not read them."""

BACKBONES = ("encoder_q.", "base_encoder.", "backbone.", "encoder.")
"""What may stand before the names of a ResNet's backbone in a checkpoint of its training."""

OWN_PREFIX = "armillary."
"""On file, the project's own parameters, which no official file has, begin with this."""

_REMEDY = "load it under the name of the size it was made for"

_GENERATOR = (
    (r"\.mix\.", ".fclayer."),
    (r"\.(weight_tokens|bias_token)$", r".weight_generator.\1"),
    (r"\.to_kernel\.", ".weight_generator.fc_weight."),
    (r"\.to_bias\.", ".weight_generator.fc_bias."),
    (r"\.layer\.attention\.qkv\.", ".weight_generator.transformer_encoder.layers.0.self_attn.in_proj_"),
    (r"\.layer\.attention\.proj\.", ".weight_generator.transformer_encoder.layers.0.self_attn.out_proj."),
    (r"\.layer\.mlp\.fc(\d)\.", r".weight_generator.transformer_encoder.layers.0.linear\1."),
    (r"\.layer\.norm(\d)\.", r".weight_generator.transformer_encoder.layers.0.norm\1."),
)

_COP_GEN = (
    (r"^patches\.(\d+)\.kernel$", r"patch_embeds.\1.proj.weight"),
    (r"^patches\.(\d+)\.bias$", r"patch_embeds.\1.proj.bias"),
    (r"^times\.(\d+)\.fc1\.", r"time_img_embeds.\1.0."),
    (r"^times\.(\d+)\.fc2\.", r"time_img_embeds.\1.2."),
    (r"^heads\.", "decoder_preds."),
    (r"^places$", "pos_embed"),
    (r"^(ground|field)\.", OWN_PREFIX + r"\1."),
    (r"^trunk\.down\.", "in_blocks."),
    (r"^trunk\.middle\.", "mid_block."),
    (r"^trunk\.up\.", "out_blocks."),
    (r"^(in_blocks\.\d+|mid_block|out_blocks\.\d+)\.attention\.", r"\1.attn."),
    (r"\.join_norm\.", ".norm1."),
    (r"\.attention_norm\.", ".norm2."),
    (r"\.mlp_norm\.", ".norm3."),
    (r"\.join\.", ".skip_linear."),
)

_RESNET = (
    (r"^first\.", "conv1."),
    (r"^first_norm\.", "bn1."),
    (r"^trunk\.stages\.0\.", "layer1."),
    (r"^trunk\.stages\.1\.", "layer2."),
    (r"^trunk\.stages\.2\.", "layer3."),
    (r"^trunk\.stages\.3\.", "layer4."),
)

_FOMO_NET = (
    (r"^cut\.(?:shared\.)?", "to_patch_embedding."),
    (r"^(to_patch_embedding(?:\.\d+)?)\.pixel_norm\.", r"\1.1."),
    (r"^(to_patch_embedding(?:\.\d+)?)\.linear\.", r"\1.2."),
    (r"^(to_patch_embedding(?:\.\d+)?)\.token_norm\.", r"\1.3."),
    (r"^spectrum$", "spectral_embedding"),
    (r"^place\.cls_token$", "cls_token"),
    (r"^place\.table$", "pos_embedding"),
    (r"^trunk\.layers\.(\d+)\.norm1\.", r"transformer.layers.\1.0.norm."),
    (r"^trunk\.layers\.(\d+)\.attention\.qkv\.", r"transformer.layers.\1.0.to_qkv."),
    (r"^trunk\.layers\.(\d+)\.attention\.proj\.", r"transformer.layers.\1.0.to_out.0."),
    (r"^trunk\.layers\.(\d+)\.norm2\.", r"transformer.layers.\1.1.net.0."),
    (r"^trunk\.layers\.(\d+)\.mlp\.fc1\.", r"transformer.layers.\1.1.net.1."),
    (r"^trunk\.layers\.(\d+)\.mlp\.fc2\.", r"transformer.layers.\1.1.net.4."),
    (r"^trunk\.norm\.", "transformer.norm."),
    (r"^(ground_size|bound)(\.|$)", OWN_PREFIX + r"\1\2"),
)

OFFICIAL = (
    *_GENERATOR,
    *_COP_GEN,
    *_RESNET,
    *_FOMO_NET,
    (r"^spectral\.", "patch_embed_spectral."),
    (r"^named\.", "patch_embed_variable."),
    (r"^language\.", "patch_embed_variable.language_proj."),
    (r"^sentence\.", OWN_PREFIX + "sentence."),
    (r"^where\.place\.linear\.", "coord_fc."),
    (r"^where\.place\.unknown$", "coord_token"),
    (r"^where\.area\.linear\.", "scale_fc."),
    (r"^where\.area\.unknown$", "scale_token"),
    (r"^where\.time\.linear\.", "time_fc."),
    (r"^where\.time\.unknown$", "time_token"),
    (r"^position\.cls_token$", "cls_token"),
    (r"^position\.table$", "pos_embed"),
    (r"^trunk\.blocks\.(\d+)\.attention\.", r"blocks.\1.attn."),
    (r"^trunk\.blocks\.", "blocks."),
    (r"^pooled_norm\.", "fc_norm."),
    (r"^cls_norm\.", "norm."),
    (r"^final_norm\.", "norm."),
    (r"^patch\.kernel$", "patch_embed.proj.weight"),
    (r"^patch\.bias$", "patch_embed.proj.bias"),
    (r"^position\.registers$", "register_tokens"),
    (r"\.scale(\d)$", r".ls\1.gamma"),
)
"""Our name -> name on file, applied in this order."""


def official_name(name: str) -> str:
    """The name on file of one of our parameters."""
    for ours, theirs in OFFICIAL:
        name = re.sub(ours, theirs, name)
    return name


def official_state(model: nn.Module) -> dict[str, Tensor]:
    """The model's parameters under their names on file."""
    return {official_name(k): v for k, v in model.state_dict().items()}


def dinov2_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in timm's naming, or of blocks in chunks, in the naming of DINOv2's published files.

    timm calls the registers `reg_token` and then has no row of the extra token in its position table, because it has
    added that row to the extra token itself; a row of zeros takes its place.
    """
    named = {re.sub(r"^blocks\.\d+\.(\d+)\.", r"blocks.\1.", k): v for k, v in state.items()}
    if "reg_token" in named:
        named["register_tokens"] = named.pop("reg_token")
    table = named.get("pos_embed")
    if table is not None and table.ndim == 3 and math.isqrt(table.shape[1]) ** 2 == table.shape[1]:
        named["pos_embed"] = torch.cat((torch.zeros_like(table[:, :1]), table), dim=1)
    return named


def resnet_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The backbone of a ResNet's state dict in torchvision's naming, as SoftCon and TorchGeo publish it.

    A checkpoint of MoCo holds two encoders and a queue under names such as "module.encoder_q.layer1.0.conv1.weight",
    DINO's its teacher under "backbone."; what is not of the first of `BACKBONES` that is there is left out, and so are
    the head and the counters of batches.
    """
    bare = {k.removeprefix("module."): v for k, v in state.items()}
    before = next((b for b in BACKBONES if any(k.startswith(b) for k in bare)), "")
    named = {k.removeprefix(before): v for k, v in bare.items() if k.startswith(before)}
    return {k: v for k, v in named.items() if not k.startswith("fc.") and not k.endswith(".num_batches_tracked")}


def fomo_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The encoder of a state dict of FoMo-Net; a checkpoint of its pretraining holds it under "encoder."."""
    bare = {k.removeprefix("module."): v for k, v in state.items()}
    inside = {k.removeprefix("encoder."): v for k, v in bare.items() if k.startswith("encoder.")}
    return inside if "spectral_embedding" in inside else bare


def load_state(
    model: nn.Module,
    state: Mapping[str, Tensor],
    *,
    source: str,
    remedy: str = _REMEDY,
    naming: Callable[[str], str] = official_name,
) -> None:
    """Give a model the values of a file, as float32; every key and shape must fit.

    Args:
        model: takes the values.
        state: of a file, by official name.
        source: what the file is called, for the refusal.
        remedy: what the refusal advises.
        naming: our name of a parameter -> its name on file.

    Raises:
        WeightsMismatch: with every missing, unexpected and mis-shaped key; or a value is NaN or infinite.
    """
    ours = {naming(k): k for k in model.state_dict()}
    shapes = {naming(k): tuple(v.shape) for k, v in model.state_dict().items()}
    theirs = {k: v for k, v in state.items() if not k.startswith(IGNORED)}
    missing = sorted(shapes.keys() - theirs.keys())
    unexpected = sorted(theirs.keys() - shapes.keys())
    misshapen = [
        f"{k} {tuple(theirs[k].shape)} instead of {shapes[k]}"
        for k in sorted(shapes.keys() & theirs.keys())
        if tuple(theirs[k].shape) != shapes[k]
    ]
    lists = {"missing": missing, "unexpected": unexpected, "of another shape": misshapen}
    found = "; ".join(f"{len(keys)} {what}: {', '.join(keys)}" for what, keys in lists.items() if keys)
    if found:
        raise WeightsMismatch(
            f"{source} is no weight file of this model ({len(shapes)} keys expected, {len(theirs)} found); {remedy}; "
            f"the differences are {found}"
        )
    whole = [f"{k} ({str(v.dtype).removeprefix('torch.')})" for k, v in theirs.items() if not v.is_floating_point()]
    if whole:
        raise WeightsMismatch(
            f"{source} holds other than real numbers, in {_some(whole)}; weights are float32, float16 or bfloat16: "
            "save them so"
        )
    broken = [k for k, v in theirs.items() if not bool(torch.isfinite(v).all())]
    if broken:
        raise WeightsMismatch(
            f"{source} holds numbers that are NaN or infinite, in {_some(broken)}; the file is damaged: give another"
        )
    model.load_state_dict({ours[k]: v.to(torch.float32) for k, v in theirs.items()}, assign=True)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def save(model: nn.Module, path: str | PathLike[str], facts: Mapping[str, str] | None = None) -> None:
    """Write a model's parameters under their official names as .safetensors, aside first, then renamed.

    Equal parameters and facts give equal bytes.

    Args:
        model: whose parameters.
        path: of the file.
        facts: text kept in the file's header.
    """
    target = Path(path)
    aside = target.with_name(target.name + ".part")
    save_file({k: v.detach().cpu().contiguous() for k, v in official_state(model).items()}, aside, dict(facts or {}))
    _sort_header(aside)
    aside.replace(target)


def _sort_header(path: Path) -> None:
    """Put the facts of a header in the order of their names; the library writes them in any."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        file.seek(8)
        file.write(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(length))


def weights_sha256(model: nn.Module) -> str:
    """SHA-256 over every tensor's name, type, shape and bytes, in the order of names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        flat = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {flat.dtype} {tuple(flat.shape)}".encode())
        digest.update(memoryview(flat.reshape(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def locate(href: str | PathLike[str]) -> Path:
    """The local file of a path, of "package://file" or of "hf://owner/repo/file".

    The local cache is asked before the hub.
    """
    text = str(href)
    if text.startswith(PACKAGED):
        return _shipped(text.removeprefix(PACKAGED))
    if not text.startswith(HUB):
        path = Path(text).expanduser()
        if not path.is_file():
            raise WeightsMissing(f"no weight file at {text}; give a .safetensors or .pth file, or hf://owner/repo/file")
        return path
    parts = text.removeprefix(HUB).split("/", 2)
    if len(parts) < 3 or not all(parts):
        raise WeightsMissing(f"{text} names no file on the hub; write hf://owner/repo/file")
    hub = need("huggingface_hub", "models")
    repository, file = "/".join(parts[:2]), parts[2]
    cached = hub.try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return Path(cached)
    try:
        return Path(hub.hf_hub_download(repository, file))
    except Exception as cause:  # the hub's client raises its own, requests', httpx's and OS errors alike
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        raise WeightsMissing(
            f"{text} could not be fetched and is not in the local cache ({reason}); "
            "go online once, or download the file and give its path"
        ) from cause


def _shipped(name: str) -> Path:
    """The file of models/data that has this name."""
    with as_file(files("armillary.models") / "data" / name) as path:
        if not path.is_file():
            raise WeightsMissing(
                f"{name} should ship with this program and is not there; install the whole package, or give weights= a "
                "file, or weights=None for random ones"
            )
        return path


def read_facts(href: str | PathLike[str]) -> dict[str, str]:
    """What the header of a .safetensors file says: licence, steps, data; empty where there is no such header."""
    path = locate(href)
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as cause:
        raise WeightsMismatch(f"{path} cannot be read as weights ({_reason(cause)}); give a whole file") from cause


def read_tensors(href: str | PathLike[str]) -> dict[str, Tensor]:
    """Every tensor of a .safetensors or PyTorch file by name; the file cannot run code.

    A PyTorch file is a flat dict, or one under one of the names in `UNDER`.
    """
    path = locate(href)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found: object = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as cause:  # damaged bytes make the unpickler raise whatever they happen to spell
        raise WeightsMismatch(
            f"{path} cannot be read as weights ({_reason(cause)}); give a whole .safetensors or a .pth file of plain "
            "tensors"
        ) from cause
    for key in UNDER:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in found.items()):
        raise WeightsMismatch(f"{path} holds no tensors by name ({type(found).__name__}); give the state dict itself")
    tensors = cast(dict[str, Tensor], dict(found))
    odd = [k for k, v in tensors.items() if v.layout != torch.strided or v.is_meta or v.is_quantized]
    if odd:
        raise WeightsMismatch(
            f"{path} holds tensors without plain values (sparse, quantised or meta), in {_some(odd)}; give plain ones"
        )
    return tensors


def _reason(cause: Exception) -> str:
    """Why, in a few words; PyTorch's own advice, to load the file with code and all, is not passed on."""
    if isinstance(cause, pickle.UnpicklingError):
        return "it is damaged, or holds other objects than tensors, which may run code"
    if isinstance(cause, SafetensorError | OSError | RuntimeError):
        return (str(cause).strip().splitlines() or [type(cause).__name__])[0].split(". ")[0]
    return f"it is damaged: {type(cause).__name__}"
