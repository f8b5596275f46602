"""The networks for FID and KID by their names on the command line."""

from anomgan.evaluation.classifier import load_classifier
from anomgan.evaluation.feature_networks import FeatureNetwork, load_inception
from anomgan.evaluation.perceptual import BACKBONE, BackboneFeatures

INCEPTION = "inception"


def load_network(name: str, device: str = "auto") -> FeatureNetwork:
    """Load a feature network.

    Args:
        name: "inception", "lite0" (embedded), or the folder of a classifier.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        InputError: Inception cannot be downloaded.
        ModelError: the folder holds no classifier.
    """
    if name == INCEPTION:
        return load_inception(device)
    return BackboneFeatures(device) if name == BACKBONE else load_classifier(name, device)
