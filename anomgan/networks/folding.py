"""Folding batch norms into the convolutions before them, for faster inference."""

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(network: nn.Module) -> None:
    """Fold, in place, each batch norm of a Sequential into the convolution right before it.

    In evaluation mode both are linear, so the output is the same up to rounding. The weights are no
    longer those of the model folder: only fold a network that will not be trained or saved.

    Args:
        network: in evaluation mode.
    """
    sequences = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    for layers in sequences:
        for place in range(len(layers) - 1):
            convolution, norm = layers[place], layers[place + 1]
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            if isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d):
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                layers[place] = fuse_conv_bn_eval(convolution, norm, transpose=transposed)
                layers[place + 1] = nn.Identity()
