"""One step of the released pretraining, written again by us: nine passes of the encoder, eight of the decoder.

Its mistakes are kept (docs/pretraining.md): pixels padded by one, kernels of encoder and decoder resized by 256
interpolations and a pseudo-inverse in every pass, targets in another layout than predictions, one variance floor for
all sensors, the mean over sensors. float32, nothing packed, nothing remembered. Parameters are those of a model of
ours, built with the same mistakes, so that losses can be compared: `tests/train/test_upstream_step.py`.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its usual name)

from armillary.earth.bands import Spectral
from armillary.models.mae import MaskedAutoencoder
from armillary.nn.block import Block
from armillary.sample.batch import Batch
from armillary.tokens.hyper import KERNEL_SCALE, WEIGHT_TOKENS, SynthesisGenerator
from rival import Rival, encoder_layer, facts, position_grid, resize_by_256_pulses, run_block

FLOOR = 1e-6
DISTILLED = 0.1


class RivalStep:
    """The loss of a step.

    Args:
        mae: a model with upstream's mistakes, in float32.
    """

    def __init__(self, mae: MaskedAutoencoder) -> None:
        self.mae = mae
        self.encoder = Rival(mae.encoder)
        generators = (mae.decoder.spectral, mae.decoder.named)
        self.layers = {id(g): encoder_layer(g) for g in generators if g is not None}

    def copies(self) -> tuple[nn.Module, ...]:
        """PyTorch's own transformer layers, which stand for those of our generators."""
        return (*self.encoder.layers.values(), *self.layers.values())

    def loss(self, batches: Mapping[str, Batch], visible: Mapping[str, Int[Tensor, "b _"]]) -> Float[Tensor, ""]:
        """The unweighted mean over sensors of the error on hidden patches.

        Args:
            batches: sensor -> normalised pixels, with the bands that this step keeps.
            visible: sensor -> positions of the patches that stay.
        """
        return torch.stack([self._error(batch, visible[name]) for name, batch in batches.items()]).mean()

    def distilled(self, colour: Batch, said: Float[Tensor, "b d"]) -> Float[Tensor, ""]:
        """0.1 x the mean cosine distance of the student's pass, all patches visible, from what a teacher said."""
        x, _ = self.encoder.enter(colour)
        x = self._run_encoder(x)
        distance: Tensor = DISTILLED * (1 - F.cosine_similarity(x.mean(dim=1), said, dim=-1)).mean()
        return distance

    def _error(self, batch: Batch, at: Int[Tensor, "b k"]) -> Float[Tensor, ""]:
        x, grid = self.encoder.enter(batch)
        b, n, d = x[:, 1:].shape
        kept = torch.gather(x[:, 1:], 1, at[..., None].expand(-1, -1, d))
        x = self._run_encoder(torch.cat((x[:, :1], kept), dim=1))
        norm = self.mae.encoder.cls_norm
        x = F.layer_norm(x, (d,), norm.weight, norm.bias, 1e-6)
        hidden = torch.ones(b, n, dtype=torch.bool).scatter(1, at, value=False)
        predicted = self._predict(x, at, hidden, batch, grid)
        error = (predicted - _targets(batch)).square().mean(dim=-1)
        return (error * hidden).sum() / hidden.sum()

    def _run_encoder(self, x: Tensor) -> Tensor:
        for block in self.mae.encoder.trunk.blocks:
            assert isinstance(block, Block)
            x = run_block(block, x)
        return x

    def _predict(self, x: Tensor, at: Tensor, hidden: Tensor, batch: Batch, grid: tuple[int, int]) -> Tensor:
        decoder = self.mae.decoder
        x = decoder.embed(x)
        b, n = hidden.shape
        masks = decoder.mask_token.expand(b, n - at.shape[1], -1)
        shuffled = torch.cat((at, hidden.nonzero()[:, 1].view(b, -1)), dim=1)
        back = shuffled.argsort(dim=1)[..., None].expand(-1, -1, x.shape[-1])
        whole = torch.gather(torch.cat((x[:, 1:], masks), dim=1), 1, back)
        here = facts(decoder.where, batch)
        whole = whole + position_grid(decoder.position, *grid) + here
        x = torch.cat((x[:, :1] + decoder.position.table[:, :1] + here, whole), dim=1)
        for block in decoder.trunk.blocks:
            assert isinstance(block, Block)
            x = run_block(block, x)
        x = F.layer_norm(x, x.shape[-1:], decoder.norm.weight, decoder.norm.bias, 1e-6)
        return F.linear(x[:, 1:], self._rows(batch))

    def _rows(self, batch: Batch) -> Tensor:
        """Weights of the last layer: for each band, row and column of a patch one row; no bias."""
        light = isinstance(batch.bands[0], Spectral)
        generator = self.mae.decoder.spectral if light else self.mae.decoder.named
        assert isinstance(generator, SynthesisGenerator)
        assert generator.bias_token is not None
        z = self.encoder.mixed(batch)
        s = self.layers[id(generator)](torch.cat((generator.weight_tokens, z, generator.bias_token)))
        rows = generator.to_kernel(s[WEIGHT_TOKENS : WEIGHT_TOKENS + len(z)] + z)
        kernel = rows.view(len(z), 16, 16, -1).permute(3, 0, 1, 2)
        return resize_by_256_pulses(kernel, batch.patch_px).permute(1, 2, 3, 0).flatten(0, 2) * KERNEL_SCALE


def _targets(batch: Batch) -> Tensor:
    """Standardised patches with the bands fastest."""
    b, c, h, w = batch.pixels.shape
    p = batch.patch_px
    cut = batch.pixels.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
    t = cut.reshape(b, (h // p) * (w // p), p * p * c)
    return (t - t.mean(dim=-1, keepdim=True)) / (t.var(dim=-1, keepdim=True) + FLOOR).sqrt()
