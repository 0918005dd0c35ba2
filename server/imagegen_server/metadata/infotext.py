"""The form of A1111's `parameters` text: a prompt, a negative prompt, and settings in one line. Pure.

a cat, film grain
Negative prompt: blur
Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 512x768, Lora hashes: "one: 123abc, two: 456def"
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MAX_CHARS: Final = 200_000
"""A longer text is taken for a prompt."""

_NEGATIVE: Final = "Negative prompt:"
_SETTING: Final = re.compile(r'(\w[\w \-/]{0,63}): *("(?:[^"\\]|\\.)*"|[^,]*)(?:,|$)')
_MIN_SETTINGS: Final = 3
"""A line with fewer is none of settings: A1111's own rule."""
_STEPS: Final = re.compile(r"(?:^|[ ,])Steps: *\d")
# What Civitai's generator appends is JSON without quotes around it.
_TRAILING_JSON: Final = re.compile(r", (Civitai [a-z]{1,32}): [\[{]")
_MAX_LINES_BEHIND: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Infotext:
    """What such a text says, word by word."""

    prompt: str
    negative_prompt: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Without quotes, in their order."""
    rest: str = ""
    """What stands behind the settings."""


def read(text: str) -> Infotext:
    """What a text says; one without a line of settings is prompts only. Never raises."""
    if len(text) > MAX_CHARS:
        return Infotext(prompt=text)
    lines = text.replace("\r\n", "\n").strip().split("\n")
    # Some programs write more behind the line of settings, so it is looked for from the end.
    for number in range(len(lines) - 1, max(-1, len(lines) - 1 - _MAX_LINES_BEHIND), -1):
        if _STEPS.search(lines[number]):
            settings = _settings(lines[number])
            if "Steps" in settings and len(settings) >= _MIN_SETTINGS:
                return _with_prompts(lines[:number], settings, "\n".join(lines[number + 1 :]).strip())
    return _with_prompts(lines, {}, "")


def write(text: Infotext) -> str:
    """As A1111 writes it."""
    negative = [f"{_NEGATIVE} {text.negative_prompt}"] if text.negative_prompt else []
    line = ", ".join(f"{name}: {_quoted(value)}" for name, value in text.settings.items())
    return "\n".join([text.prompt, *negative, line]).strip()


def _with_prompts(lines: list[str], settings: dict[str, str], rest: str) -> Infotext:
    for number, line in enumerate(lines):
        if line.lstrip().startswith(_NEGATIVE):
            negative = [line.lstrip().removeprefix(_NEGATIVE), *lines[number + 1 :]]
            return Infotext(
                prompt="\n".join(lines[:number]).strip(),
                negative_prompt="\n".join(negative).strip(),
                settings=settings,
                rest=rest,
            )
    return Infotext(prompt="\n".join(lines).strip(), settings=settings, rest=rest)


def _settings(line: str) -> dict[str, str]:
    found: dict[str, str] = {}
    appended = _TRAILING_JSON.search(line)
    if appended is not None:
        line = line[: appended.start()]
    for name, value in _SETTING.findall(line):
        found.setdefault(name, _unquoted(value.strip()))
    return found | ({appended[1]: "..."} if appended is not None else {})


def _quoted(value: str) -> str:
    is_plain = value == value.strip().removeprefix('"') and not any(mark in value for mark in ",:\n")
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        unquoted: Any = json.loads(value)
    except ValueError:
        return value.strip('"')
    # Halves of characters, which JSON can say, are no text elsewhere.
    return str(unquoted).encode("utf-8", "replace").decode()
