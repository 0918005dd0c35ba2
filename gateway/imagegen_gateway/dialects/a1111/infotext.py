"""The text that A1111 writes into pictures: how it was made, for people, and for programs that read it again. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Final

MAX_CHARS: Final = 100_000
NEGATIVE: Final = "Negative prompt: "
SETTING: Final = re.compile(r'([A-Z][\w /+-]{0,63}): ("(?:[^"\\]|\\.)*"|[^,]*)(?:,\s*|$)')
SIZE: Final = re.compile(r"(\d{1,6})x(\d{1,6})")


def write(prompt: str, negative_prompt: str, settings: Mapping[str, Any]) -> str:
    """Prompt, negative prompt, and settings in one line."""
    lines = [prompt]
    if negative_prompt:
        lines.append(NEGATIVE + negative_prompt)
    return "\n".join([*lines, ", ".join(f"{name}: {_quoted(value)}" for name, value in settings.items())])


def read(text: str) -> dict[str, str]:
    """What such a text says, with sizes in two: "Size-1" and "Size-2". A text without settings is a prompt."""
    if not text.strip():
        return {}
    *above, last = text[:MAX_CHARS].strip().splitlines()
    settings = dict(SETTING.findall(last)) if SETTING.match(last) else {}
    if "Steps" not in settings:
        above, settings = [*above, last], {}
    found = {name: _unquoted(value.strip()) for name, value in settings.items()}
    for name, value in list(found.items()):
        size = SIZE.fullmatch(value)
        if size is not None:
            del found[name]
            found |= {f"{name}-1": size[1], f"{name}-2": size[2]}
    return _prompts(above) | found


def _prompts(lines: list[str]) -> dict[str, str]:
    for number, line in enumerate(lines):
        if line.startswith(NEGATIVE.strip()):
            negative = [line.removeprefix(NEGATIVE.strip()).strip(), *lines[number + 1 :]]
            return {"Prompt": "\n".join(lines[:number]), "Negative prompt": "\n".join(negative)}
    return {"Prompt": "\n".join(lines), "Negative prompt": ""}


def _quoted(value: Any) -> str:
    text = str(value)
    if not any(character in text for character in ",:\n"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _unquoted(text: str) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    return re.sub(r"\\(.)", r"\1", text[1:-1])
