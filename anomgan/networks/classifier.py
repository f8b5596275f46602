"""A small image classifier; its features also measure the quality of generated images."""

from torch import Tensor, nn

WIDTHS = (32, 64, 128, 256)
"""Feature maps after each convolution; the last is the length of the features."""


class ConvClassifier(nn.Module):
    """Image [N, channels, H, W] to (logits [N, classes], features [N, 256]).

    Four convolutions that halve the image, each with batch norm, then global average pooling.
    Images may have any size from 16 pixels up.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip((channels, *WIDTHS), WIDTHS, strict=False):
            layers += [
                nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        self.hidden = nn.Sequential(*layers)
        self.head = nn.Linear(WIDTHS[-1], classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.hidden(x).mean(dim=(2, 3))
        return self.head(features), features
