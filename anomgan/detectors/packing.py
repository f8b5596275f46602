"""Four bits per value, for the eigenmaps, which are most of a model folder.

Each block of 16 values has a step, in half precision, and each value is a whole number of steps
from -8 to 7. The value of largest magnitude is exactly -8 steps, so values that were rounded once
do not change when they are rounded again.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

BLOCK = 16
"""Values that share a step."""
LEVELS, STEPS, SHAPE = "levels", "steps", "shape"


def pack(x: Tensor) -> dict[str, Tensor]:
    """Round a tensor of any shape to four bits per value; `unpack` reads it.

    Returns:
        "levels" uint8 [blocks, 8] with two values in each, "steps" float16 [blocks, 1], and
        "shape" int64 [dimensions].
    """
    flat = x.detach().cpu().float().flatten()
    blocks = F.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    largest = blocks.gather(1, blocks.abs().argmax(1, keepdim=True))
    steps = (largest / -8).half()
    divisors = torch.where(steps == 0, 1.0, steps.float())  # a block of zeros has no step
    levels = ((blocks / divisors).round().clamp(-8, 7) + 8).to(torch.uint8)
    return {
        LEVELS: levels[:, ::2] | levels[:, 1::2] << 4,
        STEPS: steps,
        SHAPE: torch.tensor(x.shape, device="cpu"),
    }


def unpack(packed: Mapping[str, Tensor]) -> Tensor:
    """Return the rounded values that `pack` stored, float32.

    Raises:
        KeyError: a part is missing.
        RuntimeError, TypeError, ValueError: the parts are damaged, or do not fit each other.
    """
    pairs = packed[LEVELS]
    levels = torch.stack([pairs & 15, pairs >> 4], -1).flatten(1).float() - 8
    shape = torch.Size(packed[SHAPE].tolist())
    flat = (levels * packed[STEPS].float()).flatten()
    return flat[: shape.numel()].view(shape)


def rounded(x: Tensor) -> Tensor:
    """Round values as the model folder stores them, on their device, float32."""
    # A few blocks at a time: the copies of all of them would be most of the memory of a fit.
    parts = [unpack(pack(part)) for part in x.flatten().split(BLOCK * 2**16)]
    return torch.cat(parts).view(x.shape).to(x.device)
