"""What params.yaml may hold of the sweeps: the section `prune` of `kdprune.config.schema`."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kdprune.config import consistency
from kdprune.config.grid import LABELS
from kdprune.config.kinds import Epochs, Fraction, Methods, Name, NonNegative, Plain, Positive
from kdprune.config.section import Section
from kdprune.methods import parts


class BatchNorm(Section):
    """Whether a pruned network's batch-norm statistics are estimated anew, and on how much."""

    re_estimate: bool
    images: Annotated[int, Field(ge=2, le=1_000_000)]

    @property
    def used(self) -> int:
        """How many images re-estimate the statistics; none where that is switched off."""
        return self.images if self.re_estimate else 0


class FineTune(Section):
    """Fine-tuning after pruning; `from` is a word that Python keeps, and is declared beside it."""

    scope: Literal["head", "all", "none"]
    epochs: Epochs
    epochs_of: dict[Name, Epochs] = Field(default_factory=dict)
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    lr: Positive
    momentum: Fraction
    nesterov: bool
    weight_decay: NonNegative
    views: Annotated[int, Field(ge=1, le=100)]
    objective: Methods | None = None
    __annotations__["from"] = Literal["self", "teacher"] | None
    locals()["from"] = None
    schedule: Literal["constant", "rewind"] | None = None

    @property
    def objectives(self) -> list[str]:
        """What is learned by; labels, where a study says nothing."""
        given = self.objective or LABELS
        return [given] if isinstance(given, str) else given

    def objective_of(self, method: str) -> str:
        """Return what the tuning of a sweep learns by, from the sweep's method."""
        named = parts(method)[1]
        return named or (self.objectives[0] if len(self.objectives) == 1 else LABELS)

    def epochs_for(self, method: str) -> int:
        """Return how long the networks of a sweep are tuned, from the sweep's method."""
        return self.epochs_of.get(parts(method)[0], self.epochs)


class Only(Section):
    """Methods that the networks of one role alone are swept by."""

    teacher: list[Name]
    student: list[Name]


class Prune(BaseModel):
    """The sweep; hyperparameters of a pruning method stand under its name."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)
    __pydantic_extra__: dict[str, dict[str, Plain]]
    method: Methods
    roles: Annotated[list[Literal["teacher", "student"]], Field(min_length=1)]
    only: Only | None = None
    levels: Annotated[list[Fraction], Field(min_length=1, max_length=1000)]
    seeds: Annotated[int, Field(ge=1, le=1000)]
    batchnorm: BatchNorm
    finetune: Annotated[FineTune, AfterValidator(consistency.check_recipe)]

    @property
    def hyperparameters(self) -> dict[str, dict[str, Any]]:
        """Those of each method, by its name."""
        return self.model_extra or {}
