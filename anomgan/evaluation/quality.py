"""How good a generator's images are, measured against real ones by the features of a network."""

import numpy as np

from anomgan.evaluation.feature_networks import FeatureNetwork, Images
from anomgan.metrics.generation import diversity, fid, kid


def measure(fake: Images, real: Images, network: FeatureNetwork) -> dict[str, float | int | str]:
    """FID, KID and diversity of generated images.

    Of the larger set only as many images are used as the smaller one has, drawn at random but
    always the same: FID is the larger, the fewer images there are, so that only figures of equal
    numbers can be compared. `n_fake` and `n_real` say how many that were. Real images should be
    ones that the generator was not trained on.

    Args:
        fake: generated images, uint8 [N, H, W] or [N, H, W, 3]; at least 2.
        real: real images, prepared as those were that it was trained on; at least 2.
        network: whose features are compared; its name becomes a part of the names.

    Returns:
        "network", "fid_<name>", "kid_<name>" (both 0 at best), "diversity_<name>" (0 when all
        images are the same; at best that of the real ones), "diversity_real_<name>", "n_fake",
        "n_real".

    Raises:
        InputError: there are fewer than 2 images of a kind, or one cannot be used.
    """
    count = min(len(fake), len(real))
    fake_features = network.features(_some(fake, count))
    real_features = network.features(_some(real, count))
    return {
        "network": network.name,
        f"fid_{network.name}": fid(real_features, fake_features),
        f"kid_{network.name}": kid(real_features, fake_features),
        f"diversity_{network.name}": diversity(fake_features),
        f"diversity_real_{network.name}": diversity(real_features),
        "n_fake": count,
        "n_real": count,
    }


def _some(images: Images, count: int) -> Images:
    """`count` of the images; files are often sorted by class, so that the first would not do."""
    if count == len(images):
        return images
    chosen = np.random.default_rng(0).choice(len(images), count, replace=False)
    return [images[index] for index in chosen]
