"""What the metadata of a checkpoint may hold: a file from anywhere is data, and says no more.

Every part is known, of its type, and bounded; names that become parts of paths are plain. What a
network is built from is its timm name, its classes, its stem, and arguments of its shape.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from kdprune.errors import KdpruneError
from kdprune.terminal import printable
from kdprune.untrusted import LONGEST, NAME, TIMM, parsed, refusal, value_fault

BYTES = 16 << 20  # of the whole metadata: room for 100,000 class names
CLASSES = 100_000
CHANNELS = 100_000
SMALLEST, LARGEST = 8, 512  # pixels: the side of an image
COUNTS = 1 << 40


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    if fault := refusal(given):
        raise ValueError(fault)
    return given


def _plain(value: Any) -> Any:
    if fault := value_fault(value, COUNTS):
        raise ValueError(fault)
    return value


Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST)]
Nameless = Annotated[str, Field(max_length=0)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=1e-6, le=1, allow_inf_nan=False)]  # a manifest's least above 0
Count = Annotated[int, Field(ge=0, le=COUNTS)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Settings = Annotated[dict[Name, Annotated[Any, AfterValidator(_plain)]], Field(max_length=100)]
Class = Annotated[str, Field(min_length=1, max_length=255)]


class Part(BaseModel):
    """A part of the metadata: every key known, no type guessed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Network(Part):
    """The arguments of `kdprune.models.build` that a file may give."""

    timm_name: Annotated[str, Field(pattern=TIMM, max_length=100)]
    classes: Annotated[int, Field(ge=1, le=CLASSES)]
    stem: Literal["imagenet", "cifar"] = "imagenet"
    kwargs: Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_arguments)] = {}
    size: Annotated[int, Field(ge=SMALLEST, le=LARGEST)] = 32


class Projector(Part):
    """The arguments of `ReusedClassifier.blank`, but for the classes."""

    out_channels: Annotated[int, Field(ge=1, le=CHANNELS)]
    factor: Annotated[float, Field(ge=0.1, le=1000, allow_inf_nan=False)]
    last: Literal["relu", "identity"]
    size: Annotated[int, Field(ge=1, le=512)] | None = None


class Pruned(Part):
    """What `kdprune export` did to the network."""

    method: Name
    hyperparameters: Settings
    level: Share
    at_breakpoint: bool
    seed: Seed
    finetune: Settings
    batchnorm: Settings
    removed: bool
    ratio: Share
    sparsity: Share
    dense_params: Count
    nonzero_params: Count


class Input(Part):
    """How images are prepared: class names, and mean and std by channel for values in 0..1."""

    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    colour: Literal["RGB"]
    values: Annotated[str, Field(max_length=100)]
    classes: Annotated[list[Class], Field(min_length=1, max_length=CLASSES)]
    mean: Annotated[list[Share], Field(min_length=3, max_length=3)]
    std: Annotated[list[Spread], Field(min_length=3, max_length=3)]
    crop: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] = 1.0


class Normalised(Part):
    """What images are normalised by, where it is not the data set's own mean and std."""

    mean: Annotated[list[Share], Field(min_length=3, max_length=3)]
    std: Annotated[list[Spread], Field(min_length=3, max_length=3)]


class Weights(Part):
    """The file that a teacher's weights came from."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    train: bool


class Metadata(Part):
    """The whole: what `kdprune.models.save` is given."""

    network: Network
    projector: Projector | None = None
    pruned: Pruned | None = None
    input: Input | None = None
    weights: Weights | None = None
    normalised: Normalised | None = None
    seed: Seed | None = None
    dataset: Name | Nameless = ""
    role: Literal["teacher", "student", ""] = ""
    teacher: Name | Nameless = ""
    student: Name | Nameless = ""
    distill: Name | Nameless = ""
    training_seed: Annotated[str, Field(pattern="^[0-9]{1,10}$")] | Nameless = ""

    @model_validator(mode="after")
    def _of_one_network(self) -> "Metadata":
        if self.input and len(self.input.classes) != self.network.classes:
            raise ValueError("input.classes: must name as many as network.classes counts")
        if self.input and self.input.shape != [3, self.network.size, self.network.size]:
            raise ValueError("input.shape: must be [3, size, size], with size of the network")
        return self


def read(text: str, where: Any) -> dict[str, Any]:
    """Return metadata as it was saved. Raises KdpruneError, naming `where`, for any other."""
    try:
        if len(text) > BYTES:
            raise ValueError(f"metadata of more than {BYTES >> 20} MiB")
        content = parsed(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except ValueError as error:
        raise KdpruneError(f"{where}: is no readable checkpoint ({printable(error)})") from None
    if not isinstance(content, dict) or not isinstance(content.get("network"), dict):
        raise KdpruneError(f"{where}: is a safetensors file, but no checkpoint of kdprune")
    try:
        Metadata.model_validate(content)
    except (ValidationError, RecursionError) as error:
        raise KdpruneError(
            f"{where}: its metadata are not those of a checkpoint of kdprune: {_told(error)}"
        ) from None
    return content


def check_statistics(given: Mapping[str, Any], where: Any) -> None:
    """Check the class names, mean and std of a data set. Raises KdpruneError, naming `where`."""
    try:
        Input.model_validate({"shape": [3, 32, 32], "colour": "RGB", "values": "", **given})
    except (ValidationError, RecursionError) as error:
        raise KdpruneError(f"{where}: {_told(error)}; run `dvc repro download`") from None


def _told(error: ValidationError | RecursionError) -> str:
    """Say the first fault in one line: where it is, and what is allowed."""
    if isinstance(error, RecursionError):
        return "they nest too deep"
    first = error.errors(include_url=False, include_input=False)[0]
    named = (part for part in first["loc"] if part != "constrained-str")  # pydantic's own
    place = ".".join(printable(part)[:60] for part in named)
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else first["msg"]
    joint = "." if first["type"] == "value_error" else ": "
    reason = reason if joint == "." else reason[0].lower() + reason[1:]
    return f"{place}{joint if place else ''}{reason}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name is there twice")
    return mapping
