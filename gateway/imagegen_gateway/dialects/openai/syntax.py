r"""How a message orders a picture: words, and flags among them. Pure.

    a red fox in the snow --size 768x512 --steps 30 --seed 42 --no text, watermark

1. A flag is a name after two dashes at the beginning of a word; `=` or a space stands before its value. Phones make one
   long dash of two: before a name that is known it counts as well.
2. Flags may stand anywhere; what is left is the prompt. Values that are text (--no, --sampler, --scheduler) reach up to
   the next flag, unless they are in quotes.
3. A name that is not known is a problem, and so is a flag given twice. Other dashes are text, and so is `\--name`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from imagegen_gateway.dialects.orders import SIDES, Order, nearest_side
from imagegen_gateway.dialects.wishes import Offer

MAX_COUNT: Final = 16
MAX_SEED: Final = 2**63 - 1

_FLAG: Final = re.compile(r"(?<!\S)(--|—|–)([A-Za-z][\w-]*)(?==|\s|$)")
_ESCAPED: Final = re.compile(r"(?<!\S)\\(?=\\*(?:--|—|–))")
_TO_ESCAPE: Final = re.compile(r"(?<!\S)(?=\\*(?:--|—|–))")
_WORD: Final = re.compile(r"(?:=|\s+)(\S+)")
_QUOTED: Final = re.compile(r'(?:=|\s+)["“]([^"”]*)["”](?=\s|$)')


class SyntaxProblem(ValueError):
    """The message cannot be understood; the text says why, for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag."""

    name: str
    field: str
    """Of an Order."""
    shape: str
    """How its value looks, for people; empty: it has none."""
    meaning: str
    read: Callable[[str], Any] = str
    """Raises ValueError with what is allowed."""
    is_text: bool = False
    """Whether the value may be several words."""


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,19}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}", text) or not low <= float(text) <= high:
            raise ValueError(f"a number from {low:g} to {high:g}")
        return float(text)

    return read


def _seed(text: str) -> int | None:
    return None if text in {"-1", "random"} else _whole(0, MAX_SEED)(text)


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})(?:[xX×*]([0-9]{1,5}))?", text)
    if found is None:
        raise ValueError("a size, as 768x512")
    size = int(found[1]), int(found[2] or found[1])
    if not all(side in SIDES for side in size):
        raise ValueError(
            "multiples of 8 from 64 to 4096; the nearest is " + "x".join(str(nearest_side(s)) for s in size)
        )
    return size


def _aspect(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,3})[:/x×]([0-9]{1,3})", text)
    if found is None or not 0 < int(found[1]) <= 8 * int(found[2]) or not int(found[2]) <= 8 * int(found[1]):
        raise ValueError("width to height, as 16:9, from 1:8 to 8:1")
    return int(found[1]), int(found[2])


FLAGS: Final = (
    Flag("size", "size", "768x512", "width and height in pixels", _size),
    Flag("ar", "aspect", "16:9", "width to height, when the size does not matter", _aspect),
    Flag("steps", "steps", "30", "sampling steps", _whole(1, 500)),
    Flag("seed", "seed", "42", "the same seed makes the same picture again", _seed),
    Flag("no", "negative_prompt", "text, watermark", "what the picture should not show", is_text=True),
    Flag("n", "count", "4", f"how many pictures, at most {MAX_COUNT}", _whole(1, MAX_COUNT)),
    Flag("cfg", "cfg_scale", "7", "how closely to follow the prompt", _number(0, 100)),
    Flag("sampler", "sampler", "euler", "the sampler, as the backend calls it", is_text=True),
    Flag("scheduler", "scheduler", "karras", "the noise schedule, as the backend calls it", is_text=True),
    Flag("edit", "is_edit", "", "change the newest picture of this chat"),
    Flag("denoise", "denoise", "0.6", "how much of a picture to change, 0 to 1", _number(0, 1)),
)
_INPUTS: Final = {"size": "width", "aspect": "width", "is_edit": "init_image"}
"""The input that a model must have for a field of an Order, where it is not called the same."""
BY_NAME: Final = {flag.name: flag for flag in FLAGS}
HELP_WORDS: Final = frozenset({"help", "/help", "--help", "?", "/?"})


def asks_for_help(text: str) -> bool:
    """Whether that is all that the message says."""
    return text.strip().lower() in HELP_WORDS


def help_text(offer: Offer) -> str:
    """What can be written to this model, as Markdown."""
    flags = [flag for flag in FLAGS if offer.takes(_INPUTS.get(flag.field, flag.field))]
    rows = [f"| `--{flag.name}{' ' + flag.shape if flag.shape else ''}` | {flag.meaning} |" for flag in flags]
    parts = [f"Say what the picture should show; **{offer.title}** makes it."]
    if offer.takes("init_image"):
        parts.append("Attach a picture to change that one.")
    if rows:
        parts.append("Flags may stand anywhere in the message:\n\n| flag | meaning |\n| --- | --- |")
    return "\n".join([" ".join(parts), *rows])


def parse(text: str) -> Order:
    """What the message orders. Raises SyntaxProblem, and nothing else."""
    values: dict[str, Any] = {}
    pieces: list[str] = []
    at = 0
    while (found := _next_flag(text, at)) is not None:
        pieces.append(text[at : found.start()])
        flag = _known(found)
        if flag.field in values:
            raise SyntaxProblem(f"--{flag.name} is given twice.")
        values[flag.field], at = _value(flag, text, found.end())
    pieces.append(text[at:])
    prompt = " ".join(filter(None, (_plain(piece) for piece in pieces)))
    return Order(prompt=prompt, **values)


def _next_flag(text: str, at: int) -> re.Match[str] | None:
    for found in _FLAG.finditer(text, at):
        if found[1] == "--" or found[2].lower() in BY_NAME:
            return found
    return None


def _known(found: re.Match[str]) -> Flag:
    flag = BY_NAME.get(found[2].lower())
    if flag is None:
        names = ", ".join(f"--{name}" for name in BY_NAME)
        raise SyntaxProblem(
            f"There is no flag --{found[2][:40]}. There are {names}; send `help` for more. "
            f"To have it in the picture, write `\\--{found[2][:40]}`."
        )
    return flag


def _value(flag: Flag, text: str, at: int) -> tuple[Any, int]:
    """The flag's value, and where it ends."""
    if not flag.shape:
        return True, at
    value, end = _text_value(text, at) if flag.is_text else _word_value(text, at)
    if not value:
        raise SyntaxProblem(f"--{flag.name} needs a value, as in `--{flag.name} {flag.shape}`.")
    try:
        return flag.read(value), end
    except ValueError as exc:
        raise SyntaxProblem(f"--{flag.name} takes {exc}; `{value[:40]}` is none.") from exc


def _word_value(text: str, at: int) -> tuple[str, int]:
    found = _WORD.match(text, at)
    if found is None or _FLAG.match(text, found.start(1)):
        return "", at
    return found[1].rstrip(",;"), found.end()


def _text_value(text: str, at: int) -> tuple[str, int]:
    if (quoted := _QUOTED.match(text, at)) is not None:
        return quoted[1].strip(), quoted.end()
    following = _next_flag(text, at)
    end = following.start() if following is not None else len(text)
    return _plain(text[at:end].removeprefix("=")), end


def _plain(piece: str) -> str:
    return _ESCAPED.sub("", piece).strip()


def render(order: Order) -> str:
    """A message that orders the same."""
    words = [_TO_ESCAPE.sub(r"\\", order.prompt)] if order.prompt else []
    for flag in FLAGS:
        value = getattr(order, flag.field)
        if value is None or value is False:
            continue
        words.append(f"--{flag.name}" + (f" {_shown(value)}" if flag.shape else ""))
    return " ".join(words)


def _shown(value: object) -> str:
    match value:
        case (int(width), int(height)):
            return f"{width}x{height}"
        case float():
            return f"{value:.9f}".rstrip("0").rstrip(".")
        case str():
            return _TO_ESCAPE.sub(r"\\", value)
        case _:
            return str(value)


assert {flag.field for flag in FLAGS} == {field.name for field in fields(Order)} - {"prompt"}
