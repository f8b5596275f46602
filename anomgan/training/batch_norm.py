"""Batch norm over the batches of all processes."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anomgan.machine.distributed import average, ranks


class SharedBatchNorm(_BatchNorm):
    """Batch norm with the statistics of all processes, as if one process had the whole batch.

    Like `nn.SyncBatchNorm`, but it also works on CPUs. Its evaluation mode and its state are those
    of any other batch norm.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x [N, C, ...] channel by channel."""
        if not self.training:
            return super().forward(x)
        dims = [0, *range(2, x.dim())]
        variance, mean = torch.var_mean(x.float(), dims, correction=0)
        # In double precision, because the square of a large mean hides a small variance.
        mean, variance = mean.double(), variance.double()
        mean, square = average(torch.stack([mean, variance + mean.square()]))
        variance = square - mean.square()
        self._update_running(mean, variance, ranks() * x.numel() / x.shape[1])
        shape = [1, -1, *[1] * (x.dim() - 2)]
        scale = self.weight * (variance + self.eps).rsqrt().float()
        shift = self.bias - mean.float() * scale
        return (x.float() * scale.view(shape) + shift.view(shape)).to(x.dtype)

    def _check_input_dim(self, x: Tensor) -> None:
        """Accept any number of dimensions."""

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: float) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.float(), share)
        self.running_var.lerp_((variance * count / (count - 1)).float(), share)


def share_batch_norms(networks: nn.Module) -> None:
    """Replace every batch norm with a `SharedBatchNorm` that has the same weights."""
    for module in list(networks.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, _BatchNorm) and not isinstance(layer, SharedBatchNorm):
                shared = SharedBatchNorm(layer.num_features, layer.eps, layer.momentum)
                shared.load_state_dict(layer.state_dict())
                shared.requires_grad_(layer.weight.requires_grad)  # it may be frozen
                setattr(module, name, shared.to(layer.weight.device).train(layer.training))
