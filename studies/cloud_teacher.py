"""What a published cloud network sees in the training crops of copernicus-fm-nano, kept as vectors to learn from.

    pip install --no-deps ukis-csmask && pip install onnx onnxruntime      (no dependencies of the project)
    python studies/cloud_teacher.py CORPUS CACHE

ukis-csmask (German Aerospace Center, Apache-2.0) finds clouds and shadows in Sentinel-2 with a U-Net whose encoder, an
EfficientNet-B4, began with ImageNet weights and was trained on six bands of Sentinel-2. The means of three of its early
layers over a crop, 1,200 numbers, tell land cover apart about as well as hand-made descriptors do, and differently.
Crops are enlarged to 128 x 128 px (the network takes 256, and four times as long for the same use); the half-precision
weights are computed with in float32, which a CPU does faster. CACHE is read by `armillary.recipes.nano`.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from jaxtyping import Float
from rich.progress import track
from torch import Tensor
from torch.nn.functional import interpolate

from armillary.errors import need
from armillary.recipes.nano import CLOUD_FACTS, fixed_draws
from armillary.sample.sample import Sample
from armillary.train.cache import fill, open_cache

BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
SIDE_PX = 128
BLOCKS = (5, 9, 13)
"""Blocks of the encoder whose channels are averaged: the inputs of their squeeze layers."""


@dataclass(frozen=True)
class CloudTeacher:
    """The network's own averages; see `armillary.train.teachers.Teacher`."""

    name: str = CLOUD_FACTS.name
    width: int = CLOUD_FACTS.width
    digest: str = CLOUD_FACTS.digest
    sensors: tuple[str, ...] = CLOUD_FACTS.sensors

    def __call__(self, samples: Sequence[Sample]) -> Float[Tensor, "b d"]:
        """One vector per sample; NaN where it lacks one of the six bands."""
        return torch.stack([self._one(s) for s in samples])

    def _one(self, sample: Sample) -> Float[Tensor, " d"]:
        at = {name: i for i, name in enumerate(sample.sensor.band_names)}
        if not set(BANDS) <= set(at):
            return torch.full((self.width,), torch.nan)
        session, mean, std = _network(sample.sensor.name.removeprefix("s2-"))
        x = np.nan_to_num((sample.pixels[[at[b] for b in BANDS]] - mean) / std, nan=0.0)
        big = interpolate(torch.from_numpy(x.astype(np.float32))[None], size=(SIDE_PX, SIDE_PX), mode="bicubic")
        found = session.run(None, {"input": big.numpy()})
        return torch.from_numpy(np.concatenate([np.asarray(f, np.float32).ravel() for f in found]))


@cache
def _network(level: str) -> tuple[onnxruntime.InferenceSession, np.ndarray, np.ndarray]:
    """The network of a product level up to the last of `BLOCKS`, and the statistics it was trained with."""
    need("onnxruntime", "see the docstring of this script")
    spec = find_spec("ukis_csmask")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).with_name(f"model_6b_{level}.onnx")
    whole = onnx.load(path)
    graph = whole.graph
    _to_float32(graph)
    averages = [n.output[0] for n in graph.node if n.op_type == "GlobalAveragePool"]
    del graph.output[:]
    for block in BLOCKS:
        graph.output.append(onnx.helper.make_tensor_value_info(averages[block], onnx.TensorProto.FLOAT, None))
    for size in graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_value = SIDE_PX
    facts = json.loads(path.with_suffix(".json").read_text())["data"]["dataset_statistics"]["img"]
    mean, std = (np.array(f, np.float32)[:, None, None] for f in facts)
    session = onnxruntime.InferenceSession(whole.SerializeToString(), providers=["CPUExecutionProvider"])
    return session, mean, std


def _to_float32(graph: onnx.GraphProto) -> None:
    half, full = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    constants = [a for n in graph.node for a in n.attribute if a.name == "value"]
    for tensor in (*graph.initializer, *(a.t for a in constants)):
        if tensor.data_type == half:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.i == half:
                attribute.i = full
    del graph.value_info[:]


def main() -> None:
    """Fill the cache; a run that is stopped goes on where it was."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("corpus", type=Path)
    said.add_argument("cache", type=Path)
    given = said.parse_args()
    for split in ("train", "held-out"):
        parts = fixed_draws(given.corpus, split)
        for name, part, _ in parts:
            cached = open_cache(CloudTeacher(), given.cache, source=CLOUD_FACTS.source)
            new = fill(cached, track(list(part.all()), description=f"{split} {name}"))
            print(f"{split} {name}: {new} new vectors, {len(cached)} in all")


if __name__ == "__main__":
    main()
