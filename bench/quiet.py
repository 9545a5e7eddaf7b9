"""Times on a machine that others use too: interleaved, and without the samples that others disturbed.

A sample begins when the machine has been quiet for a moment, and is kept when other processes used less than `FOREIGN`
cores more than the ones we leave them (Linux: /proc/stat less what this process used; elsewhere every sample is kept).
The rule looks at others only, so it favours no variant.
"""

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

FOREIGN = 0.12
MOMENT_S = 0.2
LONGEST_WAIT_S = 15.0

SHORTEST_S = 0.4
"""A sample repeats its work until it is this long: /proc/stat counts in steps of 10 ms."""

PATIENCE = 4
"""At most this many times the wanted number of samples are tried."""

STAT = Path("/proc/stat")


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one call."""

    median_ms: float
    least_ms: float
    kept: int
    tried: int


def interleave(variants: Mapping[str, Callable[[], object]], samples: int) -> dict[str, Timing]:
    """Every variant in turn, round after round, until each has `samples` undisturbed ones."""
    repeats = {name: _repeats(call) for name, call in variants.items()}
    kept: dict[str, list[float]] = {name: [] for name in variants}
    every: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(PATIENCE * samples):
        for name, call in variants.items():
            if len(kept[name]) >= samples:
                continue
            await_quiet()
            ms, foreign = _sample(call, repeats[name])
            every[name].append(ms)
            if foreign < limit():
                kept[name].append(ms)
        if all(len(k) >= samples for k in kept.values()):
            break
    return {name: _timing(kept[name], every[name]) for name in variants}


def limit() -> float:
    """How many cores others may use."""
    return max(0, (os.cpu_count() or 1) - torch.get_num_threads()) + FOREIGN


def await_quiet() -> None:
    """Until others leave us our cores for a moment, or patience ends."""
    for _ in range(round(LONGEST_WAIT_S / MOMENT_S)):
        if _sample(lambda: time.sleep(MOMENT_S), 1)[1] < limit():
            return


def _timing(kept: list[float], every: list[float]) -> Timing:
    best = kept or every
    return Timing(statistics.median(best), min(best), len(kept), len(every))


def _repeats(call: Callable[[], object]) -> int:
    call()
    start = time.perf_counter()
    call()
    return max(1, round(SHORTEST_S / (time.perf_counter() - start)))


def _sample(call: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Milliseconds per call, and how many cores others used meanwhile."""
    busy, own, start = _busy_s(), time.process_time(), time.perf_counter()
    for _ in range(repeats):
        call()
    wall = time.perf_counter() - start
    others = _busy_s() - busy - (time.process_time() - own)
    return wall / repeats * 1e3, max(0.0, others) / wall


def _busy_s() -> float:
    """Seconds that all cores have worked since the machine started."""
    if not STAT.is_file():
        return time.process_time()
    user, nice, system, _, _, irq, softirq, steal = map(int, STAT.read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
