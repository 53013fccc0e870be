"""What every part of params.yaml keeps to."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of params.yaml: every key known, no type guessed, nothing changed after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
