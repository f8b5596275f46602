"""Types of the arguments that a constructor takes. Written by a script.

`python tests/typed_arguments.py` writes this file from the settings. They describe each key
(`help(GANomaly)` lists them), check values and hold the defaults. A key may be left out.
"""

from typing import Literal, TypedDict

from anomgan.generators.arguments import ImageOptions as ImageOptions
from anomgan.generators.arguments import LatentGANOptions
from anomgan.generators.arguments import ViewOptions as ViewOptions


class AnoGANWeightsOptions(TypedDict, total=False):
    """Evidence of AnoGAN."""

    residual: float
    squared: float
    contrast: float
    magnitude: float
    feature: float
    search: float


class AutoencoderNetworksOptions(TypedDict, total=False):
    """Sizes of the networks, as in GANomaly."""

    features: int
    latent_dim: int
    bottleneck: Literal["vector", "map"]


class BackboneOptions(TypedDict, total=False):
    """The pretrained network whose feature map a detector sees (space = "features")."""

    name: str
    weights: str | None
    long_side: int | None
    stages: list[int] | None
    stride: int | None
    directions: int
    align: Literal["auto", "none"]
    components: int
    augment: Literal["auto", "none"]
    vectors: int


class CalibrationOptions(TypedDict, total=False):
    """Which normal images calibrate the scores, and the false-alarm rate."""

    method: Literal["held-out", "folds"]
    share: float
    minimum: int
    folds: int
    false_alarm_rate: float
    region_rate: float | None


class DistanceWeightsOptions(TypedDict, total=False):
    """Evidence of the baselines that measure their own distance."""

    residual: float
    squared: float
    contrast: float
    magnitude: float
    distance: float


class EGBADLossOptions(TypedDict, total=False):
    """Weights of the losses of encoder and generator."""

    adversarial: float
    critic: Literal["minimax", "wasserstein"]
    gradient_penalty: float
    reconstruction: float


class EGBADNetworkOptions(TypedDict, total=False):
    """Sizes of the networks."""

    latent_dim: int
    features: int
    joint: int
    layout: Literal["pyramid", "digits"]


class EGBADWeightsOptions(TypedDict, total=False):
    """Evidence of EGBAD. The paper adds 0.9 x residual and 0.1 x one of the two others."""

    residual: float
    squared: float
    contrast: float
    magnitude: float
    cross_entropy: float
    feature: float


class EncoderOptions(TypedDict, total=False):
    """How the encoder is trained in the second phase; generator and discriminator stay fixed."""

    mode: Literal["ziz", "izi", "izi_f"]
    kappa: float
    layer: int
    features: int
    blocks: Literal["plain", "residual"]
    output: Literal["linear", "tanh"]
    steps: int
    optimiser: Literal["adam", "rmsprop"]
    learning_rate: float


class GANFirstWeightsOptions(TypedDict, total=False):
    """Evidence of f-AnoGAN. With `squared` 1 and `feature` kappa, the sum is equation 6."""

    residual: float
    squared: float
    contrast: float
    magnitude: float
    feature: float


class GANomalyLossOptions(TypedDict, total=False):
    """Weights of the generator's losses (equation 4), and when the discriminator is trained."""

    adversarial: float
    contextual: float
    encoder: float
    discriminator_floor: float


class GANomalyNetworkOptions(TypedDict, total=False):
    """Sizes of the networks."""

    features: int
    latent_dim: int
    bottleneck: Literal["vector", "map"]
    spectral_norm: bool


class GANomalyWeightsOptions(TypedDict, total=False):
    """Evidence of GANomaly."""

    residual: float
    squared: float
    contrast: float
    magnitude: float
    latent: float


class NearestWeightsOptions(TypedDict, total=False):
    """Evidence of the nearest neighbours."""

    residual: float
    squared: float
    contrast: float
    magnitude: float
    distance: float


class ScoreOptions(TypedDict, total=False):
    """How the maps of a detector become one score and one heatmap."""

    standardise: bool
    smooth: float
    top_share: float
    smallest_defect: float | None
    pixels_per_mm: float | None
    background: float | None
    precision: Literal["float32", "bfloat16"]


class SearchOptions(TypedDict, total=False):
    """Budget and loss of the search."""

    steps: int
    restarts: int
    learning_rate: float
    space: Literal["w", "w+"]
    discrimination: float
    prior: float
    layer: int
    patience: int
    tolerance: float
    chunk: int


class TrainingOptions(TypedDict, total=False):
    """How long and how fast to train: settings of the training loop."""

    steps: int
    minutes: float | None
    batch_size: int
    learning_rate: float | None
    beta1: float | None
    beta2: float | None
    decay_from: float
    hard_share: float
    precision: Literal["auto", "float32", "bfloat16"]
    ema: float
    checkpoint_minutes: float


class WeightsOptions(TypedDict, total=False):
    """How much each evidence counts; a detector's subclass adds its own evidence."""

    residual: float
    squared: float
    contrast: float
    magnitude: float


class DetectorOptions(TypedDict, total=False):
    """Arguments that all detectors take."""

    device: str
    seed: int
    image: ImageOptions | None
    calibration: CalibrationOptions | None
    score: ScoreOptions | None


class AnoGANOptions(DetectorOptions, total=False):
    """Arguments of AnoGAN."""

    view: ViewOptions | None
    training: TrainingOptions | None
    space: Literal["pixels", "features"]
    backbone: BackboneOptions | None
    weights: AnoGANWeightsOptions | None
    heatmap_weights: AnoGANWeightsOptions | None
    generator: Literal["gan", "dcgan", "wgan", "wgan_gp", "stylegan"] | None
    network: LatentGANOptions | None
    encoder: EncoderOptions | None
    search: SearchOptions | None
    start: Literal["random", "encoder"] | None


class AutoencoderOptions(DetectorOptions, total=False):
    """Arguments of Autoencoder."""

    view: ViewOptions | None
    training: TrainingOptions | None
    space: Literal["pixels", "features"]
    backbone: BackboneOptions | None
    weights: WeightsOptions | None
    heatmap_weights: WeightsOptions | None
    network: AutoencoderNetworksOptions | None


class CoresetOptions(DetectorOptions, total=False):
    """Arguments of Coreset."""

    space: Literal["features"]
    backbone: BackboneOptions | None
    weights: DistanceWeightsOptions | None
    heatmap_weights: DistanceWeightsOptions | None
    vectors: Literal["raw", "whitened"] | None
    keep: int | None
    candidates: int | None


class EGBADOptions(DetectorOptions, total=False):
    """Arguments of EGBAD."""

    view: ViewOptions | None
    training: TrainingOptions | None
    space: Literal["pixels", "features"]
    backbone: BackboneOptions | None
    weights: EGBADWeightsOptions | None
    heatmap_weights: EGBADWeightsOptions | None
    network: EGBADNetworkOptions | None
    loss: EGBADLossOptions | None


class FAnoGANOptions(DetectorOptions, total=False):
    """Arguments of FAnoGAN."""

    view: ViewOptions | None
    training: TrainingOptions | None
    space: Literal["pixels", "features"]
    backbone: BackboneOptions | None
    weights: GANFirstWeightsOptions | None
    heatmap_weights: GANFirstWeightsOptions | None
    generator: Literal["gan", "dcgan", "wgan", "wgan_gp", "stylegan"] | None
    network: LatentGANOptions | None
    encoder: EncoderOptions | None


class GANomalyOptions(DetectorOptions, total=False):
    """Arguments of GANomaly."""

    view: ViewOptions | None
    training: TrainingOptions | None
    space: Literal["pixels", "features"]
    backbone: BackboneOptions | None
    weights: GANomalyWeightsOptions | None
    heatmap_weights: GANomalyWeightsOptions | None
    network: GANomalyNetworkOptions | None
    loss: GANomalyLossOptions | None


class GaussianOptions(DetectorOptions, total=False):
    """Arguments of Gaussian."""

    space: Literal["features"]
    backbone: BackboneOptions | None
    weights: WeightsOptions | None
    heatmap_weights: WeightsOptions | None


class MeanImageOptions(DetectorOptions, total=False):
    """Arguments of MeanImage."""

    view: ViewOptions | None
    space: Literal["pixels"]
    weights: WeightsOptions | None
    heatmap_weights: WeightsOptions | None


class NearestOptions(DetectorOptions, total=False):
    """Arguments of Nearest."""

    view: ViewOptions | None
    space: Literal["pixels"]
    weights: NearestWeightsOptions | None
    heatmap_weights: NearestWeightsOptions | None
    neighbours: int | None
    keep: int | None


class PlaceGaussianOptions(DetectorOptions, total=False):
    """Arguments of PlaceGaussian."""

    space: Literal["features"]
    backbone: BackboneOptions | None
    weights: DistanceWeightsOptions | None
    heatmap_weights: DistanceWeightsOptions | None
    grid: int | None


class PrincipalOptions(DetectorOptions, total=False):
    """Arguments of Principal."""

    view: ViewOptions | None
    space: Literal["pixels"]
    weights: WeightsOptions | None
    heatmap_weights: WeightsOptions | None
    components: int | None
