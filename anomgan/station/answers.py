"""What the service answers, for its description at /docs."""

from pydantic import BaseModel, Field


class Region(BaseModel):
    """A connected part of the heatmap above its threshold, in pixels of the image."""

    x: int
    y: int
    width: int
    height: int
    peak: float
    area: int = Field(description="square pixels")
    p_value: float | None = Field(description="share of good images that have a region as hot")
    x_mm: float | None = Field(None, description="this and the next four, if the scale is known")
    y_mm: float | None = None
    width_mm: float | None = None
    height_mm: float | None = None
    area_mm2: float | None = None


class Score(BaseModel):
    """The verdict on one image, as `anomgan score --json` prints it."""

    image: str = Field(description="the client's name for the image")
    score: float = Field(description="higher is more anomalous")
    scores: list[float] = Field(description="by each network of the model; `score` combines them")
    p_value: float = Field(description="share of good images that would score this high")
    verdict: str = Field(description="ok or anomalous")
    reason: str | None = Field(description="why it is anomalous whatever its score")
    threshold: float = Field(description="score above which an image is anomalous")
    false_alarm_rate: float
    regions: list[Region] = Field(description="hottest first")
    heatmap: None = Field(description="no file is written")
    warnings: list[str]
    milliseconds: float
    model: str
    model_id: str
    heatmap_png: str | None = Field(
        None, description="only with heatmap=1: base64 of a PNG to lay over the image"
    )


class Model(BaseModel):
    """A model that is served."""

    name: str
    model: str
    model_id: str
    threshold: float
    false_alarm_rate: float
    calibration_images: int
    problem: str | None = Field(description="why a model that replaced it could not be loaded")
    review: bool = Field(description="whether parts wait for a person's word")


class Health(BaseModel):
    """The state of the service."""

    status: str = Field(description="ok, or degraded when there are problems")
    models: list[str]
    waiting: int = Field(description="images in the queue")
    problems: list[str]


class Problem(BaseModel):
    """Why a request was refused."""

    error: str


class Login(BaseModel):
    """What a browser signs in with."""

    token: str
