"""Typed, validated settings, with units; `config_values` makes them of nested values.

The sections here are common to all detectors. Each detector subclasses `Settings` in its own
module, with the settings of its networks and losses. Its defaults are for images of parts.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Space = Literal["pixels", "features"]

# Settings of networks that several methods have; each method gives its own default.
Features = Annotated[
    int,
    Field(
        ge=1,
        le=1024,
        description="feature maps after the first layer; in feature space, units of hidden layers",
    ),
]
LatentDim = Annotated[int, Field(ge=1, le=4096, description="length of a latent vector")]
SpectralNorm = Annotated[
    bool, Field(description="spectral norm instead of batch norm in the discriminator")
]
HiddenLayer = Annotated[
    int, Field(ge=-16, le=15, description="hidden layer of the discriminator (0 first, -1 last)")
]
CriticSteps = Annotated[
    int, Field(ge=1, le=100, description="steps of the critic for each step of the generator")
]

MAX_SIDE = 4096
"""Pixels; the longest side of an image that a backbone may see."""


class Section(BaseModel):
    """A group of settings: immutable; unknown keys are errors, and so are inf and nan."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class ImageSettings(Section):
    """How an image is prepared for the networks."""

    channels: Literal["auto", "grey", "rgb"] = Field(
        "auto", description="auto: grey if every normal image is grey, otherwise rgb"
    )
    max_side: int = Field(
        256,
        ge=16,
        le=16384,
        description="pixels; if the longer side of the median normal image is larger, all images "
        "are scaled down by the factor that makes it this long, but not below half a patch (patch "
        "view)",
    )
    lighting: Literal["keep", "flatten"] = Field(
        "flatten",
        description="flatten: subtract the local mean and divide by the image's deviation; keep: "
        "change nothing",
    )
    lighting_radius: float = Field(
        0.075,
        gt=0,
        le=1,
        description="standard deviation of the Gaussian that measures the local mean, as a share "
        "of the image height",
    )


class ViewSettings(Section):
    """Which part of an image a network sees at once."""

    kind: Literal["whole", "patch", "centre"] = Field(
        "patch",
        description="whole: the whole image, scaled to fit, and mirrored at its edges to fill a "
        "square (aligned objects); patch: crops (textures, large images or variable sizes); "
        "centre: the square in the middle of the image (generators: photographs)",
    )
    size: int = Field(
        64, ge=8, le=1024, description="pixels; side of the square views for the networks"
    )
    flip: bool = Field(False, description="flip half of the training views horizontally")
    past_edge: bool = Field(
        True,
        description="patch: training crops may reach past the edge of an image, where it is "
        "mirrored, as it is when a detector scans it; otherwise they lie inside, and small images "
        "are enlarged for it",
    )


class BackboneSettings(Section):
    """The pretrained network whose feature map a detector sees (space = "features")."""

    name: str = Field(
        "lite0",
        min_length=1,
        description="a name from `anomgan backbones`, or any that timm knows; separate several "
        "with commas",
    )
    weights: str | None = Field(
        None,
        description="file of the weights (safetensors); not set: the backbone's package, or timm's "
        "hub",
    )
    long_side: int | None = Field(
        None,
        ge=16,
        le=MAX_SIDE,
        description="pixels; the longer side of every image is scaled to this (not set: images "
        "get as many pixels as a square of the backbone's default size)",
    )
    stages: list[int] | None = Field(
        None,
        min_length=1,
        description="stages whose feature maps are concatenated (not set: the backbone's default)",
    )
    stride: int | None = Field(
        None,
        ge=1,
        le=64,
        description="pixels from one cell of the map to the next (not set: the backbone's default)",
    )
    directions: int = Field(
        128, ge=2, le=4096, description="length of a feature vector after whitening"
    )
    align: Literal["auto", "none"] = Field(
        "auto",
        description="auto: use the position of things, by eigenmaps of the normal images, if that "
        "explains enough, so that a missing part shows; none: never",
    )
    components: int = Field(100, ge=1, le=1024, description="number of eigenmaps")
    augment: Literal["auto", "none"] = Field(
        "auto",
        description="auto: learn from mirrored and turned copies of few images, too, if eigenmaps "
        "then explain held-out images better; none: never",
    )
    vectors: int = Field(
        200_000,
        ge=1000,
        le=20_000_000,
        description="feature vectors to train on, equally many from each image",
    )


class TrainingSettings(Section):
    """How long and how fast to train: settings of the training loop."""

    steps: int = Field(1500, ge=1, description="training steps, unless minutes ends first")
    minutes: float | None = Field(
        None,
        gt=0,
        description="stop each phase, of all networks together, after this many minutes, even "
        "before `steps`",
    )
    batch_size: int = Field(32, ge=2, le=4096, description="views per step")
    learning_rate: float | None = Field(
        None, gt=0, le=1, description="learning rate of the optimiser (not set: the method's own)"
    )
    beta1: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Adam's decay of the first moment (not set: the method's own); not RMSProp",
    )
    beta2: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Adam's decay of the second moment (default: the method's); not for RMSProp",
    )
    decay_from: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of the steps after which the learning rate falls linearly to 0",
    )
    hard_share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="feature space: share of hard vectors in each batch, the worst rebuilt of four "
        "times as many, so that rare normal places are learnt, too",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "float32",
        description="bfloat16: mixed precision, twice as fast if the processor or GPU has units "
        "for it; auto: bfloat16 if it has, float32 otherwise",
    )
    ema: float = Field(
        0.995,
        ge=0,
        lt=1,
        description="decay of the moving average of the weights, which is used while scoring; 0: "
        "no average",
    )
    checkpoint_minutes: float = Field(
        2.0, gt=0, description="minutes between checkpoints, which --resume continues from"
    )


class CalibrationSettings(Section):
    """Which normal images calibrate the scores, and the false-alarm rate."""

    method: Literal["held-out", "folds"] = Field(
        "held-out",
        description="held-out: some images calibrate, and the others train; folds: every image "
        "does both, by one network for each fold, trained without that fold (feature space only)",
    )
    share: float = Field(0.15, gt=0, lt=1, description="held-out: share of the normal images")
    minimum: int = Field(20, ge=5, description="calibrate on at least this many images")
    folds: int = Field(4, ge=2, le=20, description="folds: number of folds, and of networks")
    false_alarm_rate: float = Field(
        0.01, gt=0, lt=1, description="share of good images that may be called anomalous"
    )
    region_rate: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="share of good images that may have a marked region (not set: mark what is as "
        "hot as an anomalous image on the whole)",
    )


class ScoreSettings(Section):
    """How the maps of a detector become one score and one heatmap."""

    standardise: bool = Field(
        True,
        description="subtract from each evidence its mean on normal images, and divide by its "
        "deviation",
    )
    smooth: float = Field(
        1.0, ge=0, le=64, description="pixels; Gaussian that smooths residuals (0: not at all)"
    )
    top_share: float = Field(
        0.002,
        gt=0,
        le=1,
        description="the score is the mean of this share of hottest pixels, unless smallest_defect "
        "is set",
    )
    smallest_defect: float | None = Field(
        None,
        gt=0,
        description="square pixels of the original image; the score is the highest level at which "
        "the heatmap has a connected region of this area, so that smaller ones make no verdict "
        "(not set: any region may)",
    )
    pixels_per_mm: float | None = Field(
        None,
        gt=0,
        description="scale of the original images, to give sizes in mm, too (not set: unknown)",
    )
    background: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="subtract this quantile of the map from the map, so that an image that is "
        "rebuilt equally badly everywhere counts as good (not set: subtract nothing)",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="precision of the networks while scoring; bfloat16 (mixed precision) is faster "
        "if the processor or GPU has units for it (AMX; recent GPUs)",
    )


class Weights(Section):
    """How much each evidence counts; a detector's subclass adds its own evidence."""

    residual: float = Field(0.0, ge=0, description="difference of image and reconstruction")
    squared: float = Field(0.0, ge=0, description="squared difference of image and reconstruction")
    contrast: float = Field(
        0.0, ge=0, description="residual divided by the residual of its surroundings"
    )
    magnitude: float = Field(
        0.0, ge=0, description="feature space: mean square of the feature vector itself"
    )

    @model_validator(mode="after")
    def _something_counts(self) -> "Weights":
        if all(weight == 0 for _, weight in self):
            raise ValueError(f"at least one of {', '.join(dict(self))} must be above 0")
        return self


class LearningSettings(Section):
    """Settings that all models share, detectors and generators."""

    seed: int = Field(0, ge=0, lt=2**31, description="one seed for split, weights and batches")
    image: ImageSettings = ImageSettings()
    view: ViewSettings = ViewSettings()
    training: TrainingSettings = TrainingSettings()

    @classmethod
    def suited(cls, defaults: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the defaults that suit the given values; subclasses may drop some of them."""
        return defaults


EVIDENCE_IN_FEATURES: dict[str, Any] = {"squared": 1.0, "residual": 0.0, "contrast": 0.0}
IN_FEATURES: dict[str, Any] = {
    "image": {"lighting": "keep"},
    "training": {
        "batch_size": 256,
        "learning_rate": 5e-4,
        "decay_from": 0.5,
        "hard_share": 0.5,
    },
    "score": {"top_share": 0.01},
    "weights": EVIDENCE_IN_FEATURES,
    "heatmap_weights": EVIDENCE_IN_FEATURES,
}
"""Defaults that all detectors share in feature space; each detector adds its own."""


class Settings(LearningSettings):
    """All settings of a detector."""

    in_features: ClassVar[Mapping[str, Any] | None] = None
    """Defaults that change in feature space; None for a method that works on pixels only."""
    idle: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Keys or sections that the method does not use, by space, in addition to
    `config_values.IDLE`."""

    detector: str
    space: Space = Field(
        "pixels",
        description="pixels: the detector sees the image; features: it sees the feature map of a "
        "pretrained network",
    )
    backbone: BackboneSettings = BackboneSettings()
    calibration: CalibrationSettings = CalibrationSettings()
    score: ScoreSettings = ScoreSettings()
    weights: Weights
    heatmap_weights: Weights

    @model_validator(mode="after")
    def _sees_all_of_an_image(self) -> "Settings":
        if self.view.kind == "centre":
            raise ValueError(
                "view.kind = centre leaves out the edges of an image, where a defect may be; set "
                "it to whole or patch"
            )
        return self

    @model_validator(mode="after")
    def _evidence_is_there(self) -> "Settings":
        if self.space == "pixels" and self.calibration.method == "folds":
            raise ValueError("calibration.method = folds is only available if space = features")
        unknown = "magnitude" if self.space == "pixels" else "contrast"
        for section in ("weights", "heatmap_weights"):
            if getattr(getattr(self, section), unknown):
                raise ValueError(
                    f"{section}.{unknown} is not available if space = {self.space}; set it to 0"
                )
        return self
