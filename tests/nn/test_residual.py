import torch
from torch import nn
from torch.testing import assert_close

from armillary.nn.residual import BatchNorm, Bottleneck, Stages


def _filled(module: nn.Module, seed: int = 0) -> nn.Module:
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for t in (*module.parameters(), *module.buffers()):
            t.copy_(
                torch.rand(t.shape, generator=rng) + 0.1 if t.ndim == 1 else torch.randn(t.shape, generator=rng) / 9
            )
    return module


def _norm(y: torch.Tensor, bn: BatchNorm) -> torch.Tensor:
    mean, var, weight, bias = (t[:, None, None] for t in (bn.running_mean, bn.running_var, bn.weight, bn.bias))
    return (y - mean) / (var + 1e-5).sqrt() * weight + bias


def test_batch_norm_is_torchs_without_a_counter() -> None:
    ours, theirs = _filled(BatchNorm(5)), nn.BatchNorm2d(5)
    theirs.load_state_dict(ours.state_dict(), strict=False)
    x = torch.randn(3, 5, 4, 4, generator=torch.Generator().manual_seed(1))
    assert set(theirs.state_dict()) - set(ours.state_dict()) == {"num_batches_tracked"}
    for training in (True, False, False):
        ours.train(training), theirs.train(training)
        assert_close(ours(x), theirs(x))
    assert_close(ours.running_var, theirs.running_var)


def test_the_stride_is_in_the_middle_convolution() -> None:
    block = Bottleneck(8, 4, 2)
    assert (block.conv1.stride, block.conv2.stride, block.conv3.stride) == ((1, 1), (2, 2), (1, 1))
    assert block.downsample is not None
    assert block(torch.zeros(1, 8, 6, 6)).shape == (1, 16, 3, 3)
    assert Bottleneck(16, 4, 1).downsample is None


def test_a_bottleneck_is_its_formula() -> None:
    block = _filled(Bottleneck(16, 4, 1)).eval()
    assert isinstance(block, Bottleneck)
    x = torch.randn(2, 16, 5, 5, generator=torch.Generator().manual_seed(2)).double()
    block = block.double()
    y = _norm(torch.einsum("bchw,dc->bdhw", x, block.conv1.weight[:, :, 0, 0]), block.bn1).clamp(min=0)
    cut = nn.functional.unfold(y, 3, padding=1).view(2, -1, 5, 5)
    y = _norm(torch.einsum("bchw,dc->bdhw", cut, block.conv2.weight.flatten(1)), block.bn2).clamp(min=0)
    y = _norm(torch.einsum("bchw,dc->bdhw", y, block.conv3.weight[:, :, 0, 0]), block.bn3)
    assert_close(block(x), (x + y).clamp(min=0))


def test_each_stage_but_the_first_halves_the_map_and_doubles_the_channels() -> None:
    maps = Stages((1, 1, 1, 1), 4)(torch.zeros(1, 4, 16, 16))
    assert [tuple(m.shape[1:]) for m in maps] == [(16, 16, 16), (32, 8, 8), (64, 4, 4), (128, 2, 2)]
