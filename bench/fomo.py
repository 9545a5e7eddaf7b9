"""What a band costs FoMo-Net: all tokens of all bands, beside ours in which bands that are alike share tokens.

Run: python bench/fomo.py [--model fomo-net-nano] [--side 64] [--rounds 5] [--bands 2,4,8,13,15,37]

Operations (two for a multiplication with its sum) of one item in eval mode, counted by torch on the way through both
models, and processor time of one item on one thread, the least of interleaved rounds. Both see the same bands of the
same noise. "attention" is the part that grows with the square of the number of tokens. Synthetic data.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from armillary.earth.bands import Named
from armillary.models.fomo_net import FoMoNet, random_fomo
from armillary.models.fomo_sizes import BANDS, FOMO_NETS, FoMoConfig
from armillary.sample.batch import Batch

ORDER = (7, 8, 9, 13, 10, 11, 12, 14, 17, 18, 6, 15, 16, 4, 5, 32, *range(4), *range(19, 32), *range(33, 37))
"""Ids in the order in which bands are added: Sentinel-2 from 10 m on, Sentinel-1, heights, then other missions."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fomo-net-nano")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bands", default="2,4,8,13,16,37")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    config = replace(FOMO_NETS[asked.model], grouped=False, ground_size=False)
    models = {"all tokens": random_fomo(config), "grouped": random_fomo(replace(config, grouped=True))}
    print(f"{asked.model}, width {config.width}, {asked.side} px in patches of {config.patch_px}; one item, one thread")
    heads = ("bands", "tokens", "GFLOP", "of it attention", "ms", "tokens, grouped", "GFLOP", "ms", "ratio", "of time")
    print(f"| {' | '.join(heads)} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for n in map(int, asked.bands.split(",")):
        batch = noise(n, asked.side)
        flops = {name: counted(model, batch) for name, model in models.items()}
        tokens = {name: model.enter(batch)[0].shape[1] for name, model in models.items()}
        seconds = interleaved(models, batch, asked.rounds)
        a, b = models
        share = attention(config, tokens[a]) / flops[a]
        cells = (
            n, tokens[a], f"{flops[a] / 1e9:.2f}", f"{100 * share:.0f} %", f"{1000 * seconds[a]:.1f}",
            tokens[b], f"{flops[b] / 1e9:.2f}", f"{1000 * seconds[b]:.1f}",
            f"{flops[a] / flops[b]:.1f}", f"{seconds[a] / seconds[b]:.1f}",
        )  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")


def noise(n: int, side: int) -> Batch:
    """One item of the first n bands of `ORDER`."""
    z = torch.randn((1, n, side, side), generator=torch.Generator().manual_seed(0))
    return Batch(z, tuple(Named(BANDS[i]) for i in ORDER[:n]))


def counted(model: FoMoNet, batch: Batch) -> int:
    """Operations of one pass; attention in plain steps, which the counter sees on every processor."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(batch)
    return int(counter.get_total_flops())


def attention(config: FoMoConfig, tokens: int) -> int:
    """Operations of q k^T and of its product with v, in all blocks."""
    return config.depth * 4 * tokens**2 * config.width


def interleaved(models: dict[str, FoMoNet], batch: Batch, rounds: int) -> dict[str, float]:
    """The least seconds of processor time of each model, which a busy machine does not stretch much."""
    times: dict[str, list[float]] = {name: [] for name in models}
    with torch.inference_mode():
        for _ in range(rounds):
            for name, model in models.items():
                begun = time.process_time()
                model(batch)
                times[name].append(time.process_time() - begun)
    return {name: least(seconds) for name, seconds in times.items()}


def least(seconds: Sequence[float]) -> float:
    """The shortest: others of the machine only ever add."""
    return min(seconds)


if __name__ == "__main__":
    main()
