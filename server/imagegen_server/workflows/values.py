"""One value of one input: what it has to be. Pure."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from imagegen_adapters.graphs.inputs import GraphInput, InputType
from imagegen_adapters.graphs.naming import unknown_name

MAX_EXACT: Final = 2**53
"""Beyond it the numbers of JSON no longer hold every integer, so integers are strings of digits."""
MAX_SEED: Final = 2**64 - 1
MAX_CHARS: Final = 65_536
MAX_LORAS: Final = 16
MAX_LORA_WEIGHT: Final = 10.0
_BOUNDS: Final = {
    InputType.SEED: (0, MAX_SEED),
    InputType.STRING: (0, MAX_CHARS),
    InputType.TEXT: (0, MAX_CHARS),
}
"""What no limits go beyond: of texts those of their length."""
_DIGITS: Final = re.compile(r"-?[0-9]{1,20}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LORA_KEYS: Final = ("name", "weight", "text_encoder_weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What backends allow for an input where the workflow itself does not say. None: not known, so anything goes."""

    choices: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


class Unfit(Exception):
    """A value that an input does not take. `str()` says what would be right."""

    def __init__(self, description: str, *, at: str = "") -> None:
        """`at` is the path within the value."""
        super().__init__(description)
        self.at = at


def read_value(field: GraphInput, value: Any, allowed: Allowed) -> Any:
    """The value in its one form: integers beyond 2^53 as digits, numbers of FLOAT as float. Raises Unfit."""
    return _READERS[field.type](within(field, allowed), value)


def as_json(number: int) -> int | str:
    """A whole number as JSON has it: its digits, where it is beyond 2^53."""
    return number if abs(number) <= MAX_EXACT else str(number)


def as_integer(value: Any) -> int | None:
    """A whole number in one of the forms in which JSON can have it; None: it is none."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float() if value.is_integer():
            return int(value)
        case str() if _DIGITS.fullmatch(value):
            return int(value)
        case _:
            return None


def as_number(value: Any) -> float | None:
    """A finite number; None: it is none, or an integer of so many digits that no float holds it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an input takes, all things considered."""

    field: GraphInput
    minimum: float | None
    maximum: float | None
    step: float | None
    choices: tuple[str, ...] | None


def within(field: GraphInput, allowed: Allowed) -> Limits:
    """What the workflow says counts; what it leaves open is as the backends say."""
    minimum = allowed.minimum if field.minimum is None else field.minimum
    maximum = allowed.maximum if field.maximum is None else field.maximum
    bounds = _BOUNDS.get(field.type)
    if bounds is not None:
        low, high = bounds
        minimum = low if minimum is None else min(max(minimum, low), high)
        maximum = high if maximum is None else min(max(maximum, low), high)
    return Limits(
        field=field,
        minimum=minimum,
        maximum=maximum,
        step=allowed.step if field.step is None else field.step,
        choices=field.choices or allowed.choices,
    )


def shown(number: float) -> str:
    """Without a fraction that is none."""
    return str(int(number)) if number == math.floor(number) else str(number)


def fits_step(number: int, limits: Limits) -> bool:
    step = limits.step
    return step is None or step <= 0 or (number - step_base(limits)) % step == 0


def step_base(limits: Limits) -> float:
    """From where steps are counted: 0 where the smallest value is one of them, as with sizes."""
    minimum = limits.minimum or 0
    return 0 if not limits.step or minimum % limits.step == 0 else minimum


def _text(limits: Limits, value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("must be a text")
    shortest, longest = limits.minimum or 0, limits.maximum or 0
    if not shortest <= len(value) <= longest:
        raise Unfit(f"must have {shown(shortest)} to {shown(longest)} characters, not {len(value)}")
    return value


def _line(limits: Limits, value: Any) -> str:
    text = _text(limits, value)
    if "\n" in text or "\r" in text:
        raise Unfit("must be one line")
    return text


def _whole(limits: Limits, value: Any) -> int | str:
    number = as_integer(value)
    if number is None:
        raise Unfit(f"must be a whole number, not {_brief(value)}")
    _check_range(limits, number)
    if not fits_step(number, limits):
        base = step_base(limits)
        counted = f", counted from {shown(base)}" if base else ""
        raise Unfit(f"must be a multiple of {shown(limits.step or 1)}{counted}, not {number}")
    return as_json(number)


def _number(limits: Limits, value: Any) -> float:
    number = as_number(value)
    if number is None:
        raise Unfit(f"must be a number, not {_brief(value)}")
    _check_range(limits, number)
    return number


def _check_range(limits: Limits, number: float) -> None:
    low, high = limits.minimum, limits.maximum
    if (low is None or number >= low) and (high is None or number <= high):
        return
    if low is not None and high is not None:
        raise Unfit(f"must be from {shown(low)} to {shown(high)}, not {number}")
    raise Unfit(
        f"must be {shown(low)} or more, not {number}"
        if low is not None
        else f"must be {shown(high or 0)} or less, not {number}"
    )


def _truth(_: Limits, value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"must be true or false, not {_brief(value)}")
    return value


def _choice(limits: Limits, value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("must be a text")
    _check_choice("model" if limits.field.type is InputType.MODEL else "choice", value, limits.choices)
    return value


def _check_choice(what: str, value: str, choices: tuple[str, ...] | None) -> None:
    if choices is not None and value not in choices:
        raise Unfit(unknown_name(what, value[:512], choices))


def _digest(_: Limits, value: Any) -> str:
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise Unfit("must be the digest of an asset: 64 lower-case hexadecimal digits")
    return value


def _loras(limits: Limits, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        raise Unfit('must be a list, as [{"name": "...", "weight": 0.8}]')
    if len(value) > MAX_LORAS:
        raise Unfit(f"must be at most {MAX_LORAS} LoRAs, not {len(value)}")
    return [_lora(f"[{number}]", entry, limits.choices) for number, entry in enumerate(value)]


def _lora(at: str, entry: Any, choices: tuple[str, ...] | None) -> dict[str, Any]:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise Unfit('must be an object with a name, as {"name": "...", "weight": 0.8}', at=at)
    for key in entry:
        if key not in _LORA_KEYS:
            raise Unfit(unknown_name("key", str(key), _LORA_KEYS), at=at)
    try:
        _check_choice("LoRA", entry["name"], choices)
    except Unfit as unfit:
        raise Unfit(str(unfit), at=f"{at}.name") from unfit
    weights = {key: entry[key] for key in _LORA_KEYS[1:] if entry.get(key) is not None}
    for key, weight in weights.items():
        number = as_number(weight)
        if number is None or abs(number) > MAX_LORA_WEIGHT:
            limit = shown(MAX_LORA_WEIGHT)
            raise Unfit(f"must be a number from -{limit} to {limit}, not {_brief(weight)}", at=f"{at}.{key}")
    return {"name": entry["name"], "weight": 1.0} | {key: float(weight) for key, weight in weights.items()}


def _brief(value: Any) -> str:
    match value:
        case Mapping():
            return "an object"
        case list():
            return "a list"
        case _:
            return repr(value)[:40]


_READERS: Final[Mapping[InputType, Callable[[Limits, Any], Any]]] = {
    InputType.STRING: _line,
    InputType.TEXT: _text,
    InputType.INT: _whole,
    InputType.FLOAT: _number,
    InputType.BOOL: _truth,
    InputType.CHOICE: _choice,
    InputType.MODEL: _choice,
    InputType.IMAGE: _digest,
    InputType.MASK: _digest,
    InputType.SEED: _whole,
    InputType.LORAS: _loras,
}
