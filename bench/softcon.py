"""Scene contrast: our losses beside the formulas as a loop over anchors. Same vectors, same labels, one process.

    python bench/softcon.py --items 4096 --rounds 5

The naive version writes each loss as its paper does: for one anchor after the other, the likenesses with all keys, the
sum over those that are positive, the logarithm of the sum over all. (A loop over single pairs would take 16.8 million
turns at 4,096 items.) Timed are loss and gradient, in seconds of this process, which other programs on the machine
disturb least; versions take turns. Labels are random sets of nine classes, vectors random, seeded; both are synthetic.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from armillary.train.contrast import likeness, sigmoid_contrast, sup_con, weighted_contrast
from armillary.train.positives import alikeness, positives
from armillary.train.soft import Form, soft_loss, soft_targets

T = 0.2
WIDTH = 128
CLASSES = 9
SCALE, BIAS = 10.0, -3.0

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
"""First and second views, and labels -> the loss."""


def _masks(n: int) -> tuple[Tensor, Tensor]:
    """Own other view and all others, among the two views of n items."""
    of = torch.arange(n).repeat(2)
    among = ~torch.eye(2 * n, dtype=torch.bool)
    return (of[:, None] == of[None]) & among, among


def info_nce(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """InfoNCE of two views: SupCon with no class but the item."""
    sums, counts = sup_con(torch.stack([a, b], dim=1), torch.eye(len(y), dtype=torch.bool), temperature=T)
    return sums.sum() / counts.sum()


def sup_con_all(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """SupCon, positives with the same set of labels."""
    sums, counts = sup_con(torch.stack([a, b], dim=1), alikeness("all", y, y), temperature=T)
    return sums.sum() / counts.sum()


def sup_con_mulsup(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """SupCon, each label on its own."""
    z, twice = torch.cat([a, b]), y.repeat(2, 1)
    own, among = _masks(len(y))
    found = positives("mulsup", twice, twice, own=own, among=among)
    sums, counts = weighted_contrast(likeness(z, z) / T, found.weights, among)
    return (sums * found.votes).sum() / (counts * found.votes).sum()


def soft(form: Form) -> Loss:
    """SoftCon's second loss."""

    def loss(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
        wanted, asked = soft_targets(y, y, torch.eye(len(y), dtype=torch.bool))
        sums, counts = soft_loss(likeness(a, b) * SCALE + BIAS, wanted, asked, form)
        return sums.sum() / counts.sum()

    return loss


def siglip(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The sigmoid loss."""
    sums, counts = sigmoid_contrast(likeness(a, b) * SCALE - SCALE, torch.eye(len(y), dtype=torch.bool))
    return sums.sum() / counts.sum()


def _anchors(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    z = normalize(torch.cat([a, b]), dim=1)
    return z, torch.arange(len(z))


def naive_info_nce(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The same, anchor by anchor."""
    (z, at), n = _anchors(a, b), len(y)
    terms = []
    for i in range(2 * n):
        logits = (z @ z[i] / T)[at != i]
        other = (i + n) % (2 * n)
        terms.append(-torch.log(torch.exp(z[other] @ z[i] / T) / torch.exp(logits).sum()))
    return torch.stack(terms).mean()


def naive_sup_con_all(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The same, anchor by anchor."""
    (z, at), twice = _anchors(a, b), y.repeat(2, 1)
    terms = []
    for i in range(len(z)):
        logits, others = z @ z[i] / T, at != i
        whole = torch.exp(logits[others]).sum()
        same = (twice == twice[i]).all(dim=1) & others
        terms.append(-torch.log(torch.exp(logits[same]) / whole).mean())
    return torch.stack(terms).mean()


def naive_sup_con_mulsup(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The same, anchor by anchor and label by label."""
    (z, at), twice = _anchors(a, b), y.repeat(2, 1)
    terms = []
    for i in range(len(z)):
        logits, others = z @ z[i] / T, at != i
        whole = torch.exp(logits[others]).sum()
        for c in range(CLASSES):
            if twice[i, c] > 0:
                having = (twice[:, c] > 0) & others
                terms.append(-torch.log(torch.exp(logits[having]) / whole).mean())
    return torch.stack(terms).mean()


def naive_soft(form: Form) -> Loss:
    """The same, query by query."""

    def loss(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
        q, k = normalize(a, dim=1), normalize(b, dim=1)
        terms = []
        for i in range(len(y)):
            s = (y @ y[i]) / (y.norm(dim=1) * y[i].norm())
            logits = k @ q[i] * SCALE + BIAS
            p = torch.sigmoid(logits)
            if form == "ce":
                terms.append(-(s / s.sum() * torch.log(torch.exp(logits) / torch.exp(logits).sum())).sum())
            elif form == "mse":
                terms.append(((p - s) ** 2).mean())
            else:
                terms.append(-(s * torch.log(p) + (1 - s) * torch.log(1 - p)).mean())
        return torch.stack(terms).mean()

    return loss


def naive_siglip(a: Tensor, b: Tensor, y: Tensor) -> Tensor:
    """The same, query by query."""
    q, k = normalize(a, dim=1), normalize(b, dim=1)
    terms = []
    for i in range(len(y)):
        sign = torch.full((len(y),), -1.0)
        sign[i] = 1.0
        terms.append(-torch.log(torch.sigmoid(sign * (k @ q[i] * SCALE - SCALE))).sum())
    return torch.stack(terms).mean()


PAIRS: dict[str, tuple[Loss, Loss]] = {
    "info-nce": (info_nce, naive_info_nce),
    "supcon all": (sup_con_all, naive_sup_con_all),
    "supcon mulsup": (sup_con_mulsup, naive_sup_con_mulsup),
    "soft bce": (soft("bce"), naive_soft("bce")),
    "soft mse": (soft("mse"), naive_soft("mse")),
    "soft ce": (soft("ce"), naive_soft("ce")),
    "siglip": (siglip, naive_siglip),
}
"""Name -> ours, and the naive one."""


def work(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Two views of n items, and labels of one to nine classes."""
    rng = torch.Generator().manual_seed(0)
    a, b = (torch.randn(n, WIDTH, generator=rng, requires_grad=True) for _ in range(2))
    y = (torch.rand(n, CLASSES, generator=rng) < 0.35).float()
    y[torch.arange(n), torch.randint(CLASSES, (n,), generator=rng)] = 1
    return a, b, y


def timed(loss: Loss, given: tuple[Tensor, Tensor, Tensor]) -> tuple[float, float, Tensor]:
    """Seconds of this process for loss and gradient, the loss, and the gradient."""
    begun = time.process_time()
    value = loss(*given)
    gradient = torch.cat(torch.autograd.grad(value, given[:2]))
    return time.process_time() - begun, float(value.detach()), gradient


def line(name: str, n: int, rounds: int) -> str:
    """One row of the table."""
    given = work(n)
    ours, naive = PAIRS[name]
    seconds: list[tuple[float, float]] = []
    for _ in range(rounds):
        s, value, gradient = timed(ours, given)
        r, other, slow = timed(naive, given)
        seconds.append((s, r))
    ratios = sorted(r / s for s, r in seconds)
    apart = float((gradient - slow).abs().max() / slow.abs().max())
    mine, theirs = (statistics.median(x) for x in zip(*seconds, strict=True))
    return (
        f"{name:<14}{mine * 1e3:9.0f} ms{theirs * 1e3:10.0f} ms{statistics.median(ratios):7.1f}x  "
        f"[{ratios[0]:.1f} to {ratios[-1]:.1f}]  loss {value:.6f}, apart {abs(value - other):.1e}, "
        f"gradient apart {apart:.1e} of its largest"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=tuple(PAIRS), default=list(PAIRS))
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    where = f"torch {torch.__version__}, {args.threads} threads, {platform.machine()}"
    print(f"{where}, {args.items} items, {args.rounds} rounds")
    print("loss               ours       naive  ratio, least to largest")
    for name in args.only:
        print(line(name, args.items, args.rounds), flush=True)


if __name__ == "__main__":
    main()
