"""What was tried for speed and not kept, beside what was: the trunk of ViT-B alone, and the patches alone.

Run: python bench/alternatives.py [--items 8]

One thread, processor time, which hardly depends on what else the machine does. OpenVINO is timed when it is installed;
it is no dependency. Each line: milliseconds, times faster than plain float32, cosine and largest difference of the mean
token to it. Weights are random, so the errors are those of numbers, not of a trained model's outliers.
"""

import argparse
import copy
import importlib
import time
import warnings
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from armillary.earth.fleet import sensors
from armillary.nn.block import BLOCK_EPS, Block
from armillary.nn.init import initialise
from armillary.nn.linear import Linear
from armillary.nn.trunk import Trunk
from armillary.tokens.patch import embed_patches

WIDTH, DEPTH, HEADS, TOKENS = 768, 12, 12, 197
ROUNDS = 5
SENSORS = ("s1-grd", "s2-l1c", "s3-olci", "s5p-no2", "dem")
Call = Callable[[Tensor], Tensor]


class Last(nn.Module):
    """A trunk that returns the last block's output alone."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Tensor:
        """All blocks."""
        return self.trunk(x, ())[-1]  # type: ignore[no-any-return]


def in_precision(model: Last, dtype: torch.dtype) -> Last:
    """As `cast` does."""
    other = copy.deepcopy(model)
    for layer in other.modules():
        if isinstance(layer, Linear):
            layer.working = dtype
    return other


def int8(model: Last) -> Call:
    """8-bit products: a scale per output of a weight, one scale per activation, found at each call."""
    prepack, product = torch.ops.onednn.qlinear_prepack, torch.ops.onednn.qlinear_pointwise

    def pack(layer: nn.Linear) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scale = layer.weight.detach().abs().amax(1) / 127
        whole = (layer.weight.detach() / scale[:, None]).round().to(torch.int8)
        return prepack(whole, None), scale, torch.zeros(len(scale), dtype=torch.int64), layer.bias.detach()

    def linear(x: Tensor, packed: tuple[Tensor, ...], after: str = "none") -> Tensor:
        scale = float(x.abs().amax()) / 127
        rounded = (x.reshape(-1, x.shape[-1]).float() / scale).round_().add_(128).to(torch.uint8)
        algorithm = "none" if after == "gelu" else ""
        y: Tensor = product(rounded, scale, 128, *packed, 1.0, 0, torch.float32, after, [], algorithm)
        return y.view(*x.shape[:-1], -1)

    blocks = [b for b in model.trunk.blocks if isinstance(b, Block)]
    weights = [[pack(m) for m in (b.attention.qkv, b.attention.proj, b.mlp.fc1, b.mlp.fc2)] for b in blocks]

    def run(x: Tensor) -> Tensor:
        b, n, d = x.shape
        for block, (qkv, proj, fc1, fc2) in zip(blocks, weights, strict=True):
            y = F.layer_norm(x, (d,), block.norm1.weight, block.norm1.bias, BLOCK_EPS)
            q, k, v = linear(y, qkv).view(b, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
            x = x + linear(y, proj)
            y = F.layer_norm(x, (d,), block.norm2.weight, block.norm2.bias, BLOCK_EPS)
            x = x + linear(linear(y, fc1, "gelu"), fc2)
        return x

    return run


def traced(model: Last, x: Tensor) -> torch.jit.ScriptModule:
    """The operations of one call, written down."""
    graph: torch.jit.ScriptModule = torch.jit.trace(model, x, check_trace=False)  # type: ignore[no-untyped-call]
    return graph


def openvino(model: Last, x: Tensor, precision: str) -> Call | None:
    """The trunk compiled by OpenVINO, None where it is not installed."""
    try:
        ov = importlib.import_module("openvino")
    except ModuleNotFoundError:
        return None
    graph = ov.convert_model(traced(model, x), example_input=x)
    hints = {"INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": 1}
    request = ov.Core().compile_model(graph, "CPU", hints).create_infer_request()
    return lambda given: torch.from_numpy(request.infer([given.numpy()])[0])


def milliseconds(call: Call, x: Tensor) -> float:
    """Least processor time of several calls."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.process_time()
        call(x)
        times.append(time.process_time() - start)
    return min(times[1:]) * 1e3


def variants(model: Last, x: Tensor) -> dict[str, Call | None]:
    """Everything that is timed, by name."""
    half = copy.deepcopy(model).to(torch.bfloat16)
    frozen = torch.compile(half, options={"freezing": True})
    return {
        "plain float32": model,
        "kept: packed float32": in_precision(model, torch.float32),
        "kept: packed bfloat16, sums in float32": in_precision(model, torch.bfloat16),
        "all in bfloat16, not packed": lambda y: half(y.bfloat16()).float(),
        "torch.jit.freeze, float32": torch.jit.freeze(traced(model, x)),
        "torch.compile, float32": torch.compile(copy.deepcopy(model)),
        "torch.compile, bfloat16, weights frozen": lambda y: frozen(y.bfloat16()).float(),
        "oneDNN int8, scales found at each call": int8(model),
        "OpenVINO, float32": openvino(model, x, "f32"),
        "OpenVINO, bfloat16": openvino(model, x, "bf16"),
    }


def patches(items: int) -> None:
    """The patch convolution as a convolution and as a matrix product, for each sensor's shape."""
    for name in SENSORS:
        sensor = sensors[name]
        k, c, side = sensor.patch_px, len(sensor.bands), sensor.chip_px
        for dtype in (torch.float32, torch.bfloat16):
            x = torch.randn(items, c, side, side).to(dtype)
            kernel, bias = torch.randn(WIDTH, c, k, k).to(dtype), torch.zeros(WIDTH, dtype=dtype)
            last = kernel.contiguous(memory_format=torch.channels_last)
            ways: dict[str, Call] = {
                "conv2d": partial(F.conv2d, weight=kernel, bias=bias, stride=k, padding=1),
                "channels last": partial(_channels_last, kernel=last, bias=bias),
                "kept: product": partial(embed_patches, kernel=kernel, bias=bias, padding_px=1),
            }
            line = "  ".join(f"{way} {milliseconds(call, x):7.2f} ms" for way, call in ways.items())
            print(f"patches {name:8} {str(dtype)[6:]:8} x {items}   {line}", flush=True)


def _channels_last(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x.contiguous(memory_format=torch.channels_last), kernel, bias, stride=kernel.shape[-1], padding=1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=8)
    items = parser.parse_args().items
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    trunk = Trunk(WIDTH, DEPTH, HEADS)
    initialise(trunk, torch.Generator().manual_seed(0))
    model = Last(trunk).eval().requires_grad_(False)
    x = torch.randn(items, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        base, want = float("nan"), model(x).mean(dim=1)
        for name, call in variants(model, x).items():
            if call is None:
                print(f"{name:42} not installed")
                continue
            ms, got = milliseconds(call, x), call(x).mean(dim=1)
            base = ms if call is model else base
            cosine, most = float(F.cosine_similarity(got, want).min()), float((got - want).abs().max())
            print(f"{name:42}{ms:9.1f} ms {base / ms:6.2f} x   cosine {cosine:.6f}   {most:.1e}", flush=True)
        patches(items)


if __name__ == "__main__":
    main()
