"""The kinds of values that params.yaml holds, each with its range."""

from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag

from kdprune.config import consistency, replicates, values

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=40)]
Fraction = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]
Positive = Annotated[
    float, Field(gt=0, le=1e6, allow_inf_nan=False), AfterValidator(values.check_size)
]
NonNegative = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Seeds = Annotated[
    Annotated[Seed, Tag("(one)")]
    | Annotated[
        list[Seed],
        Field(min_length=1, max_length=100),
        AfterValidator(replicates.check_once),
        Tag("(several)"),
    ],
    Discriminator(lambda value: "(several)" if isinstance(value, list) else "(one)"),
]
Plain = Annotated[Any, AfterValidator(consistency.check_plain)]
Methods = Annotated[
    Annotated[Name, Tag("(one)")] | Annotated[list[Name], Field(min_length=1), Tag("(several)")],
    Discriminator(lambda value: "(several)" if isinstance(value, list) else "(one)"),
]
Channel = Annotated[list[Fraction], Field(min_length=3, max_length=3)]  # red, green, blue
Spread = Annotated[
    list[Annotated[float, Field(ge=1e-6, le=1, allow_inf_nan=False)]],
    Field(min_length=3, max_length=3),
]
