"""A1111's `parameters` text, both ways: how a picture was made, for people and programs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagegen_adapters.contract import ImageParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Names that backends have, so that a text's names can be told in their words. Empty: not known."""

    models: Sequence[str] = ()
    vaes: Sequence[str] = ()
    loras: Sequence[str] = ()
    samplers: Sequence[str] = ()
    schedulers: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a text asks for."""

    image: dict[str, Any]
    """Keyword arguments of ImageParameters: those that the text tells, and `prompt`."""
    notes: tuple[str, ...]
    """What is not carried, or was understood with a guess: a sentence each."""


def is_parameters(text: str) -> bool:
    """Whether a text is A1111's: it ends in a line of settings with "Steps: ..."."""
    raise NotImplementedError


def parse(text: str, known: Known = Known()) -> Parsed:
    """What a text asks for; one without a line of settings is a prompt. Never raises.

    Names are told as a backend has them where `known` has one, and as written otherwise.
    """
    raise NotImplementedError


def write(parameters: ImageParameters, *, seed: int, model_hash: str = "", version: str = "") -> str:
    """The text for the image that was made with this seed."""
    raise NotImplementedError
