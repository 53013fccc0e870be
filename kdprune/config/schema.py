"""What params.yaml may hold: one pydantic model, a section per class.

No key has a default other than None: this file is no dep of any stage, so what an absent key means
is decided where it is used.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kdprune.config import consistency, values, weights
from kdprune.config.coding import Attribute, Compress
from kdprune.config.kinds import (
    Channel,
    Fraction,
    Methods,
    Name,
    NonNegative,
    Plain,
    Positive,
    Seed,
    Seeds,
    Spread,
)
from kdprune.config.section import Section
from kdprune.config.sweeping import Prune


class Weights(Section):
    """A file that a teacher's weights come from, pinned: what a study is run on must not change."""

    path: Annotated[str, Field(min_length=1), AfterValidator(values.check_home)]
    sha256: Annotated[str, BeforeValidator(consistency.check_sha256)] = Field(
        None, validate_default=True
    )
    train: bool | None = None
    head: Literal["new"] | None = None
    classes: Annotated[list[str], Field(min_length=2)] | None = None
    config: Literal["timm"] | None = None
    mean: Channel | None = None
    std: Spread | None = None
    size: Annotated[int, Field(ge=8, le=512)] | None = None
    rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Weights":
        weights.check(self)
        return self


class Folder(Section):
    """A data set of one's own: a folder of images per class."""

    path: Annotated[str, Field(min_length=1), AfterValidator(consistency.check_path)]


class Architecture(Section):
    """A network: a timm constructor and the keyword arguments that differ from its defaults."""

    timm: Annotated[str, Field(min_length=1, max_length=100)]
    kwargs: Annotated[dict[str, Plain], AfterValidator(consistency.check_arguments)] | None = None
    weights: Weights | None = None


class Data(Section):
    """Where images come from, and how much of the training set is held out for validation."""

    source: Literal["embedded", "local", "authors", "hub", "npm", "auto"]
    path: Annotated[str | None, AfterValidator(values.check_home)]
    size: Annotated[int, Field(ge=8, le=512)]
    crop: Annotated[float, Field(ge=0.5, le=1)]
    views: Literal["auto", "crop", "resized"]
    validation: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    validation_seed: Seed


class Model(Section):
    """How networks meet 32x32 images, and where their first weights come from."""

    stem: Literal["imagenet", "cifar"]
    pretrained: bool


class Training(Section):
    """One training recipe."""

    seed: Seeds
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    lr: Positive
    momentum: Fraction
    nesterov: bool
    weight_decay: NonNegative
    schedule: Literal["constant", "cosine", "onecycle", "step"]
    warmup: Fraction
    milestones: list[Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]]
    gamma: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
    precision: Literal["fp32", "bf16"]


Recipe = Annotated[Training, AfterValidator(consistency.check_recipe)]


class Distill(BaseModel):
    """How students are distilled; hyperparameters of a method stand under its name."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, dict[str, Plain]]
    method: Methods
    training: Recipe

    @property
    def hyperparameters(self) -> dict[str, dict[str, Any]]:
        """Those of each method, by its name."""
        return self.model_extra or {}


class Breakpoints(Section):
    """How a curve's breakpoint is found, always on validation accuracy."""

    rule: Literal["tolerance", "kneedle", "slope"]
    tolerance: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
    slope_ratio: Positive
    resamples: Annotated[int, Field(ge=100, le=1_000_000)]
    confidence: Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)]
    seed: Seed


class Efficiency(Section):
    """Performance Efficiency: the weights and which parameters are counted."""

    w1: Positive
    w2: Positive
    count: Literal["composite", "encoder", "paper"]


class Significance(Section):
    """The paired tests."""

    confidence: Annotated[float, Field(gt=0.5, lt=1, allow_inf_nan=False)]


class Params(Section):
    """The whole of params.yaml."""

    profile: Name
    datasets: Annotated[list[Name], Field(min_length=1)]
    folders: dict[Name, Folder] | None = None
    pairs: Annotated[list[str], Field(min_length=1, max_length=1000)]
    architectures: dict[Name, Architecture]
    data: Data
    model: Model
    teach: Recipe
    distill: Distill
    prune: Annotated[Prune, AfterValidator(consistency.check_sweep)]
    compress: Compress | None = None
    attribute: Attribute | None = None
    breakpoints: Breakpoints
    efficiency: Efficiency
    significance: Significance
    grid: Annotated[dict[str, dict[str, dict[str, str]]], AfterValidator(consistency.instances)]

    trainings: dict[str, dict[str, dict[str, Plain]]] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        consistency.check(self)
        return self
