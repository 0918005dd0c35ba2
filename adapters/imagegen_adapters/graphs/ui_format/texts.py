"""What the page does to texts before it sends them. Pure."""

import re
from collections.abc import Callable

_LINE_END = re.compile(r"[\n\r\u2028\u2029]")
_COMMENT = re.compile(r"//|/\*")
_ESCAPED = re.compile(r"\\([{}|])")
_REPLACEMENT = re.compile(r"%([^%]+)%")
_NAME_LENGTH = 1_000
_UNFIT_FOR_FILES = re.compile(r'[/?<>\\:*|"\x00-\x1f\x7f]')


def resolve_dynamic_prompt(text: str) -> str | None:
    """Without comments and braces. None: it has {several|choices}, of which the page takes one at random."""
    text = _without_comments(text)
    if "{" not in text:
        return _ESCAPED.sub(r"\1", text)
    kept: list[str] = []
    depth = position = 0
    while position < len(text):
        char = text[position]
        step = 2 if char == "\\" else 1
        if char == "|" and depth:
            return None
        if char == "{":
            depth += 1
        elif char == "}" and depth:
            depth -= 1
        else:
            kept.append(text[position : position + step])
        position += step
    return _ESCAPED.sub(r"\1", "".join(kept))


def _without_comments(text: str) -> str:
    """Of C's kinds, both. A `/*` that is never closed is text."""
    kept: list[str] = []
    position = begin = 0
    last_end = text.rfind("*/")
    while match := _COMMENT.search(text, begin):
        start = match.start()
        if match.group() == "//":
            end = _LINE_END.search(text, start)
            after = end.start() if end else len(text)
        elif start + 2 <= last_end:
            after = text.index("*/", start + 2) + 2
        else:
            begin = start + 1
            continue
        kept.append(text[position:start])
        position = begin = after
    kept.append(text[position:])
    return "".join(kept)


def replace_in_file_name(text: str, look_up: Callable[[str, str], str | float | None]) -> str:
    """%KSampler.seed% becomes the value of that field; what is not found stays, as %width%, which the server knows.

    Long names stay as they are: no file has them, and a few kilobytes could stand for megabytes.
    """
    if len(text) > _NAME_LENGTH:
        return text

    def replacement(match: re.Match[str]) -> str:
        names = match.group(1).split(".")
        value = look_up(names[0], names[1]) if len(names) == 2 else None
        return match.group() if value is None else _UNFIT_FOR_FILES.sub("_", _shown(value)[: _NAME_LENGTH + 1])

    replaced = _REPLACEMENT.sub(replacement, text)
    return replaced if len(replaced) <= _NAME_LENGTH else text


def _shown(value: str | float) -> str:
    """As JavaScript shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    return str(value)
