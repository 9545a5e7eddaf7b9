"""Devices: where a training runs, and what its processes tell each other. Lightning Fabric starts them.

Gradients are summed over processes after the backward pass, once per step and parameter by parameter, and not by hooks
within it: a process whose places lack a sensor then owes nobody anything. `fsdp` (torch's fully_shard) gathers all
parameters as one unit for the same reason, and gives a parameter that nobody used a gradient of zero.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from armillary.errors import BadInput
from armillary.nn.ema import trained
from armillary.train.config import TrainConfig

BUCKET_NUMBERS = 2**24
"""Gradients are summed over processes in pieces of at least so many numbers (64 MiB)."""


@dataclass(frozen=True, eq=False)
class Devices:
    """One process of a training, and its way to the others. Make it with `open_devices`.

    Args:
        fabric: the launched Fabric.
        strategy: ddp or fsdp.
    """

    fabric: Fabric
    strategy: str = "ddp"

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.fabric.device

    @property
    def rank(self) -> int:
        """Which process this is, from 0."""
        return int(self.fabric.global_rank)

    @property
    def ranks(self) -> int:
        """How many processes there are."""
        return int(self.fabric.world_size)

    @property
    def shards(self) -> bool:
        """Whether parameters are shared out between processes."""
        return self.strategy == "fsdp" and self.ranks > 1

    def place(self, module: nn.Module) -> None:
        """Bring a module here, with the values that process 0 has."""
        module.to(self.device)
        if self.ranks == 1:
            return
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.detach(), src=0)
        if self.shards:
            fully_shard(module, ignored_params={p for p in module.parameters() if not p.requires_grad})

    def let_go(self, module: nn.Module) -> None:
        """After a forward pass that no backward pass follows: shared parameters are shared out again."""
        if isinstance(module, FSDPModule):
            module.reshard()

    def autocast(self) -> AbstractContextManager[object]:
        """The precision of the forward pass."""
        return self.fabric.autocast()

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.ranks > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: object) -> list[object]:
        """What every process has, in the order of ranks."""
        if self.ranks == 1:
            return [value]
        found: list[object] = [None] * self.ranks
        dist.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Until all processes are here."""
        if self.ranks > 1:
            dist.barrier()

    def sum_gradients(self, module: nn.Module) -> None:
        """Every gradient becomes the sum over processes; what no process used keeps none."""
        if self.ranks == 1 or self.shards:
            return
        parameters = [p for _, p in trained(module)]
        used = self.sum(torch.tensor([p.grad is not None for p in parameters], dtype=torch.float32).to(self.device))
        gradients = []
        for p, n in zip(parameters, used.tolist(), strict=True):
            if n > 0:
                p.grad = torch.zeros_like(p) if p.grad is None else p.grad
                gradients.append(p.grad)
        for bucket in _buckets(gradients):
            flat = self.sum(torch.cat([g.reshape(-1) for g in bucket]))
            for g, summed in zip(bucket, torch.split(flat, [g.numel() for g in bucket]), strict=True):
                g.copy_(summed.view_as(g))

    def whole(self, tensor: Tensor) -> Tensor:
        """The values of a tensor that may be shared out, on the CPU; every process must ask."""
        full: Tensor = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        return full.detach().cpu()

    def fill(self, tensor: Tensor, values: Tensor) -> None:
        """Give a tensor that may be shared out its values."""
        with torch.no_grad():
            here = values.to(tensor.device)
            tensor.copy_(
                distribute_tensor(here, tensor.device_mesh, tensor.placements) if isinstance(tensor, DTensor) else here
            )


def open_devices(config: TrainConfig) -> Devices:
    """Start the processes that a configuration asks for. Under torchrun, the ones that it started.

    Raises:
        BadInput: a GPU was asked and none is found, or a batch is smaller than its parts.
    """
    local, everywhere = (int(os.environ.get(name, "0")) for name in ("LOCAL_WORLD_SIZE", "WORLD_SIZE"))
    cuda = config.accelerator != "cpu" and torch.cuda.is_available()
    found = local or (torch.cuda.device_count() if cuda else 1)
    devices = found if config.devices == "auto" else config.devices
    nodes = (max(everywhere // local, 1) if local else 1) if config.nodes == "auto" else config.nodes
    if config.accelerator == "gpu" and not cuda:
        raise BadInput("accelerator=gpu was asked, and PyTorch finds no GPU here; use accelerator=cpu, or auto")
    shares = devices * nodes * config.accumulate
    if config.batch_size < shares:  # asked before any process is started
        raise BadInput(
            f"a batch of {config.batch_size} cannot be cut into {shares} parts ({devices * nodes} processes x "
            f"accumulate={config.accumulate}); give a larger batch_size"
        )
    with quiet():
        fabric = Fabric(
            accelerator="cuda" if cuda else "cpu",
            devices=devices,
            num_nodes=nodes,
            strategy="ddp" if devices * nodes > 1 else "auto",
            precision=config.precision,
        )
        fabric.launch()
    return Devices(fabric, config.strategy)


@contextmanager
def quiet() -> Iterator[None]:
    """Fabric says what it starts; here the caller decides what is said."""
    logger = logging.getLogger("lightning_fabric")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients in order, in groups large enough to be worth a message."""
    bucket: list[Tensor] = []
    for g in gradients:
        bucket.append(g)
        if sum(x.numel() for x in bucket) >= BUCKET_NUMBERS:
            yield bucket
            bucket = []
    if bucket:
        yield bucket
