"""Frozen pretrained networks that turn images into feature maps."""

from anomgan.backbones.extractor import Backbone
from anomgan.backbones.features import FeatureExtractor, crop, surround
from anomgan.backbones.registry import BACKBONES, Entry, find
from anomgan.backbones.weights import is_available, load_state
from anomgan.backbones.whitening import Moments, Whitening

__all__ = [
    "BACKBONES",
    "Backbone",
    "Entry",
    "FeatureExtractor",
    "Moments",
    "Whitening",
    "crop",
    "find",
    "is_available",
    "load_state",
    "surround",
]
