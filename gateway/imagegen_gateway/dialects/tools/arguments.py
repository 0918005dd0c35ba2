"""What a language model may say to the tools: checked here, and described by the same words in the OpenAPI document."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagegen_gateway.dialects.orders import Order, size_in
from imagegen_gateway.errors import FieldError, Problem

MAX_PICTURES = 4


class Arguments(BaseModel):
    """Null counts as not said: models often write it."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PictureArguments(Arguments):
    """What both tools that make pictures take."""

    prompt: str = Field(
        min_length=1,
        max_length=32768,
        description="What the picture should show, described in detail: subject, surroundings, style, light, colours.",
    )
    negative_prompt: str | None = Field(
        default=None, max_length=32768, description="What must not be in the picture, as words separated by commas."
    )
    size: str | None = Field(
        default=None,
        pattern=r"^[0-9]{1,5}x[0-9]{1,5}$",
        description="Width and height in pixels as WIDTHxHEIGHT, such as 768x512: multiples of 8 from 64 to 4096. "
        "Leave it out unless the user asks for a size or shape.",
    )
    n: int | None = Field(default=None, ge=1, le=MAX_PICTURES, description="How many pictures to make; 1 if left out.")
    seed: int | None = Field(
        default=None,
        ge=0,
        le=2**63 - 1,
        description="The same seed with the same arguments makes the same picture again. Leave it out for a new one.",
    )
    steps: int | None = Field(
        default=None, ge=1, le=500, description="Sampling steps. Leave it out unless the user asks for a number."
    )
    model: str | None = Field(
        default=None, max_length=512, description="Name of an image model. Leave it out unless the user names one."
    )

    def order(self) -> Order:
        """The same as an order. Raises Problem 400."""
        return Order(
            prompt=self.prompt,
            negative_prompt=self.negative_prompt,
            size=parse_size(self.size) if self.size else None,
            count=self.n,
            seed=self.seed,
            steps=self.steps,
        )


class EditArguments(PictureArguments):
    """And what changing a picture takes."""

    prompt: str = Field(
        min_length=1,
        max_length=32768,
        description="What the whole picture should show after the change, described in detail.",
    )
    image: str | None = Field(
        default=None,
        max_length=100_000_000,
        description="The picture to change: the url or id of an attached file, or an entry of `images` in an earlier "
        "answer. Leave it out for the newest picture of the chat.",
    )
    strength: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How much of the picture may change: 0.3 keeps nearly all, 0.75 is usual, 1 keeps nothing.",
    )

    def order(self) -> Order:
        """The same as an order. Raises Problem 400."""
        return replace(PictureArguments.order(self), denoise=self.strength)


class StatusArguments(Arguments):
    """What asking for a job takes."""

    job_id: str = Field(
        pattern=r"^[0-9a-f-]{1,64}$", description="The `job_id` of an earlier answer of generate_image or edit_image."
    )


Model = TypeVar("Model", bound=Arguments)


def parse_arguments(kind: type[Model], body: Mapping[str, Any]) -> Model:
    """The arguments in a body. Raises Problem 400, which names every one at fault."""
    try:
        return kind.model_validate({name: value for name, value in body.items() if value is not None})
    except ValidationError as exc:
        errors = tuple(
            FieldError(field=".".join(str(part) for part in error["loc"]), description=error["msg"])
            for error in exc.errors(include_url=False, include_input=False)
        )
        detail = "; ".join(f"{error.field}: {error.description}" for error in errors)
        raise Problem(400, detail, "INVALID_REQUEST", errors) from exc


def parse_size(text: str) -> tuple[int, int]:
    """Width and height. Raises Problem 400."""
    size = size_in(text)
    if size is None:
        raise Problem(400, f"size: {text} is none; both sides must be multiples of 8 from 64 to 4096")
    return size
