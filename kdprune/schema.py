"""What params.yaml may hold: one pydantic model, a section per class."""

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from kdprune import consistency

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=40)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


def _setting(value: Any) -> Any:
    """Check a hyperparameter of a method; its range is the method's own business."""
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, bool | int | float | str | None):
            raise ValueError(f"{item!r} must be a number, a string, true, false or null")
        if isinstance(item, float) and not math.isfinite(item):
            raise ValueError(f"{item!r} must be a finite number")
    return value


Setting = Annotated[Any, AfterValidator(_setting)]


class Section(BaseModel):
    """A part of params.yaml: every key known, no type guessed, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Architecture(Section):
    """A network: a timm constructor and the keyword arguments that differ from its defaults."""

    timm: str
    kwargs: dict[str, Any] = {}


class Data(Section):
    """Where images come from, and how much of the training set is held out for validation."""

    source: Literal["embedded", "local", "authors", "hub", "npm", "auto"]
    path: str | None
    validation: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]
    validation_seed: Seed


class Model(Section):
    """How networks meet 32x32 images, and where their first weights come from."""

    stem: Literal["imagenet", "cifar"]
    pretrained: bool


class Training(Section):
    """One training recipe."""

    seed: Seed
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

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "Training":
        if self.nesterov and self.momentum == 0:
            raise ValueError("nesterov: true needs momentum above 0")
        return self


class Distill(BaseModel):
    """How students are distilled; hyperparameters of a method stand under its name."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, dict[str, Setting]]
    method: Name | Annotated[list[Name], Field(min_length=1)]
    training: Training


class BatchNorm(Section):
    """Whether a pruned network's batch-norm statistics are estimated anew, and on how much."""

    re_estimate: bool
    images: Annotated[int, Field(ge=2, le=1_000_000)]


class FineTune(Section):
    """Fine-tuning after pruning."""

    scope: Literal["head", "all", "none"]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    lr: Positive
    momentum: Fraction
    nesterov: bool
    weight_decay: NonNegative
    views: Annotated[int, Field(ge=1, le=100)]


class Prune(BaseModel):
    """The sweep; hyperparameters of a pruning method stand under its name."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, dict[str, Setting]]
    method: Name | Annotated[list[Name], Field(min_length=1)]
    roles: Annotated[list[Literal["teacher", "student"]], Field(min_length=1)]
    levels: Annotated[list[Fraction], Field(min_length=1, max_length=1000)]
    seeds: Annotated[int, Field(ge=1, le=1000)]
    batchnorm: BatchNorm
    finetune: FineTune

    @model_validator(mode="after")
    def _levels_rise_from_zero(self) -> "Prune":
        if self.levels[0] != 0 or sorted(set(self.levels)) != list(self.levels):
            raise ValueError("levels: must start at 0 and rise, for example [0.0, 0.1, 0.2]")
        if len(set(self.roles)) != len(self.roles):
            raise ValueError("roles: name teacher and student at most once each")
        return self


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

    profile: str
    datasets: Annotated[list[Literal["cifar10", "cifar100"]], Field(min_length=1)]
    pairs: Annotated[list[str], Field(min_length=1, max_length=1000)]
    architectures: dict[Name, Architecture]
    data: Data
    model: Model
    teach: Training
    distill: Distill
    prune: Prune
    breakpoints: Breakpoints
    efficiency: Efficiency
    significance: Significance
    grid: dict[str, dict[str, dict[str, str]]]

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        consistency.check(self)
        return self
