"""The rival way: what the published Copernicus-FM and TorchGeo compute at each forward, written again by us.

Every forward generates the kernels, resizes them by 256 interpolations and a pseudo-inverse of a 256 x k^2 matrix on
the CPU, resizes the position table, and runs a plain ViT in float32 with PyTorch's fused attention, as timm does.
Nothing is remembered. The weights are those of a model of ours, so that the outputs can be compared.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from armillary.earth.bands import Named, Spectral
from armillary.earth.sensors import Sensor
from armillary.models.copernicus_fm import CODE_WIDTH, CopernicusFM
from armillary.models.language import sentence_vector
from armillary.nn.block import Block
from armillary.nn.fourier import expand
from armillary.sample.batch import Batch
from armillary.tokens.bandcode import BANDWIDTH_NM, WAVELENGTH_NM
from armillary.tokens.hyper import HEADS, HIDDEN, KERNEL_SCALE, WEIGHT_TOKENS, KernelGenerator, SynthesisGenerator
from armillary.tokens.position import Position
from armillary.tokens.where import AREA_KM2, DAYS, DEGREES, Fact, Where


@dataclass(frozen=True, eq=False)
class Out:
    """What the rival returns."""

    pooled: Float[Tensor, "b d"]
    grid: Float[Tensor, "b d h w"]


class Rival:
    """The rival encoder with the weights of `model`; `arm.embed` accepts it.

    Args:
        model: in float32, on the CPU.
    """

    def __init__(self, model: CopernicusFM) -> None:
        self.model = model
        self.layers = {id(g): encoder_layer(g) for g in (model.spectral, model.named) if g is not None}

    def batch(
        self,
        pixels: Float[np.ndarray, "b c h w"],
        sensor: Sensor,
        *,
        lonlat: Float[np.ndarray, "b 2"],
        days: Float[np.ndarray, " b"],
        gsd_m: Float[np.ndarray, " b"],
        unit: str | None,
    ) -> Batch:
        """The same normalised pixels as ours."""
        return self.model.batch(pixels, sensor, lonlat=lonlat, days=days, gsd_m=gsd_m, unit=unit)

    def __call__(self, batch: Batch) -> Out:
        """One forward, from nothing."""
        x, (rows, columns) = self.enter(batch)
        for block in self.model.trunk.blocks:
            assert isinstance(block, Block)
            x = run_block(block, x)
        d = x.shape[-1]
        pooled = F.layer_norm(x[:, 1:].mean(dim=1), (d,), eps=1e-6)
        return Out(pooled, x[:, 1:].transpose(1, 2).reshape(len(x), d, rows, columns))

    def enter(self, batch: Batch) -> tuple[Float[Tensor, "b n d"], tuple[int, int]]:
        """Tokens as they enter the first block, and the rows and columns of their grid."""
        kernel, bias = self._kernel(batch)
        maps = F.conv2d(batch.pixels.nan_to_num(), kernel, bias, stride=batch.patch_px, padding=1)
        rows, columns = maps.shape[-2:]
        here = facts(self.model.where, batch)
        position = self.model.position
        x = maps.flatten(2).transpose(1, 2) + position_grid(position, rows, columns) + here
        cls = position.cls_token + position.table[:, :1] + here
        return torch.cat((cls.expand(len(x), -1, -1), x), dim=1), (rows, columns)

    def mixed(self, batch: Batch) -> Float[Tensor, "c z"]:
        """Codes of the bands after the first residual layer, which the decoder generates its kernels from."""
        generator, z = self._code(batch)
        return z + F.relu(generator.mix.w2(F.relu(generator.mix.w1(z))))

    def _kernel(self, batch: Batch) -> tuple[Tensor, Tensor]:
        generator, _ = self._code(batch)
        z = self.mixed(batch)
        s = self.layers[id(generator)](torch.cat((generator.weight_tokens, z, generator.bias_token)))
        rows = generator.to_kernel(s[WEIGHT_TOKENS : WEIGHT_TOKENS + len(z)] + z)
        bias = generator.to_bias(s[-1])
        kernel = rows.view(len(z), 16, 16, len(bias)).permute(3, 0, 1, 2)
        return resize_by_256_pulses(kernel, batch.patch_px) * KERNEL_SCALE, bias * KERNEL_SCALE

    def _code(self, batch: Batch) -> tuple[KernelGenerator, Tensor]:
        model = self.model
        spectral = [b for b in batch.bands if isinstance(b, Spectral)]
        if spectral:
            center = torch.tensor([b.center_nm for b in spectral])
            width = torch.tensor([b.width_nm for b in spectral])
            waves = [(center, WAVELENGTH_NM), (width, BANDWIDTH_NM)]
            codes = [expand(x, shortest=lo, longest=hi, width=CODE_WIDTH) for x, (lo, hi) in waves]
            return model.spectral, codes[0] + codes[1]
        (band,) = batch.bands
        assert isinstance(band, Named)
        assert model.sentence is not None
        assert model.named is not None
        code: Tensor = model.sentence(sentence_vector(band.text)[None])
        return model.named, code


def position_grid(position: Position, rows: int, columns: int) -> Float[Tensor, "b n d"]:
    """The position table, resized each time."""
    side = position.side
    square = position.table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if (rows, columns) != (side, side):
        square = F.interpolate(square, size=(rows, columns), mode="bicubic", antialias=True)
    return square.flatten(2).transpose(1, 2)


def facts(where: Where, batch: Batch) -> Float[Tensor, "b n d"]:
    """Place, area and time; one that is unknown of one item is unknown of all."""
    d, lonlat, area, days = where.width, batch.lonlat, batch.token_km2, batch.days
    assert lonlat is not None
    assert area is not None
    assert days is not None
    degrees = lonlat.float() + torch.tensor([180.0, 90.0])
    place = expand(degrees, shortest=DEGREES[0], longest=DEGREES[1], width=d // 2).flatten(1)
    size = expand(area.float(), shortest=AREA_KM2[0], longest=AREA_KM2[1], width=d)
    time = expand(days.float(), shortest=DAYS[0], longest=DAYS[1], width=d)
    known = ((where.place, place, lonlat), (where.area, size, area), (where.time, time, days))
    return sum((_fact(fact, code, raw) for fact, code, raw in known), start=torch.zeros(1, 1, d))


def resize_by_256_pulses(kernel: Float[Tensor, "d c k k"], patch_px: int) -> Float[Tensor, "d c p p"]:
    """The pseudo-inverse resize (FlexiViT, eq. 4) with its matrix built pulse by pulse, as upstream does."""
    if patch_px == 16:
        return kernel
    rows = []
    for i in range(256):
        pulse = torch.zeros(1, 1, 16, 16)
        pulse[0, 0, i // 16, i % 16] = 1.0
        rows.append(F.interpolate(pulse, size=(patch_px, patch_px), mode="bicubic", antialias=True).flatten())
    inverse: Tensor = torch.linalg.pinv(torch.stack(rows))
    d, c = kernel.shape[:2]
    resized: Tensor = (kernel.reshape(d * c, 256) @ inverse.T).view(d, c, patch_px, patch_px)
    return resized


def _fact(fact: Fact, code: Tensor, raw: Tensor) -> Tensor:
    out: Tensor = fact.linear(fact.unknown if bool(raw.isnan().any()) else code[:, None])
    return out


def run_block(block: Block, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
    """One pre-norm block, as timm runs it."""
    attention, mlp = block.attention, block.mlp
    b, n, d = x.shape
    y = F.layer_norm(x, (d,), block.norm1.weight, block.norm1.bias, 1e-6)
    qkv = F.linear(y, attention.qkv.weight, attention.qkv.bias).reshape(b, n, 3, attention.heads, -1)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d)
    x = x + F.linear(y, attention.proj.weight, attention.proj.bias)
    y = F.layer_norm(x, (d,), block.norm2.weight, block.norm2.bias, 1e-6)
    y = F.gelu(F.linear(y, mlp.fc1.weight, mlp.fc1.bias))
    out: Tensor = x + F.linear(y, mlp.fc2.weight, mlp.fc2.bias)
    return out


def encoder_layer(generator: KernelGenerator | SynthesisGenerator) -> nn.TransformerEncoderLayer:
    """PyTorch's own layer, which upstream uses, with the values of our block."""
    theirs = nn.TransformerEncoderLayer(CODE_WIDTH, HEADS, HIDDEN, dropout=0.0, activation="gelu").eval()
    ours = generator.layer
    pairs = (
        (theirs.linear1, ours.mlp.fc1),
        (theirs.linear2, ours.mlp.fc2),
        (theirs.norm1, ours.norm1),
        (theirs.norm2, ours.norm2),
        (theirs.self_attn.out_proj, ours.attention.proj),
    )
    for to, source in pairs:
        to.load_state_dict(source.state_dict())
    with torch.no_grad():
        assert theirs.self_attn.in_proj_weight is not None
        theirs.self_attn.in_proj_weight.copy_(ours.attention.qkv.weight)
        theirs.self_attn.in_proj_bias.copy_(ours.attention.qkv.bias)
    return theirs
