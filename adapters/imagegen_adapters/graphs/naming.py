"""What somebody may have meant by a name that there is not. Pure."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from heapq import nlargest
from typing import Final

LISTED_NAMES: Final = 20
_NEAR_NAMES = 5
_COMPARED_NAMES = 50
_LONGEST_NAME = 256
_WRITTEN = str | int | float
_MODEL_FILE = re.compile(r"\.(?:safetensors|sft|ckpt|pth?|bin|gguf|onnx)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownName:
    """A name that there is not. It is put into words only where somebody reads them: to find near names takes long."""

    what: str
    """"choice", "model", ..."""
    name: object
    allowed: Collection[object]
    has_many: bool = False
    """There are so many that only near ones are of any help."""

    @property
    def sentence(self) -> str:
        """What would be right, the nearest first."""
        if not self.allowed:
            return f"no such {self.what} {shown(self.name)}; the backend has none"
        listed = self.suggestions
        if self.has_many:
            return f"no such {self.what} {shown(self.name)}; alike: {', '.join(listed) or '(nothing)'}"
        more = f" and {len(self.allowed) - len(listed)} more" if len(self.allowed) > len(listed) else ""
        return f"no such {self.what} {shown(self.name)}; allowed: {', '.join(listed)}{more}"

    @property
    def suggestions(self) -> tuple[str, ...]:
        """At most `LISTED_NAMES`, the nearest first."""
        allowed = [str(each) for each in self.allowed]
        cutoff = 0.5 if self.has_many else 0.6
        near = near_names(str(self.name), allowed, cutoff=cutoff) if isinstance(self.name, _WRITTEN) else []
        others = [] if self.has_many else allowed[: LISTED_NAMES + len(near)]
        return tuple(dict.fromkeys([*near, *others]))[:LISTED_NAMES]


def unknown_name(what: str, name: object, allowed: Iterable[str]) -> str:
    """A sentence that says what would be right, the nearest names first."""
    return UnknownName(what=what, name=name, allowed=list(allowed)).sentence


def near_names(name: str, allowed: Sequence[str], *, cutoff: float = 0.6) -> list[str]:
    """Names that may be meant, nearest first.

    A file is most likely the one that differs in its letter case and slashes only, then the one in another folder or
    with another extension, then one that is spelt alike.
    """
    if len(name) > _LONGEST_NAME:
        return []
    path, stem = _path(name), _stem(name)
    same = [other for other in allowed if _stem(other) == stem]
    same.sort(key=lambda other: _path(other) != path)
    by_folded = {other.lower(): other for other in _likely(name, allowed)}
    alike = get_close_matches(name.lower(), list(by_folded), n=_NEAR_NAMES, cutoff=cutoff)
    return list(dict.fromkeys([*same, *(by_folded[folded] for folded in alike)]))[:_NEAR_NAMES]


def is_model_file(name: str) -> bool:
    """Whether a name is that of a file with weights."""
    return _MODEL_FILE.search(name) is not None


def shown(value: object) -> str:
    """A value of a caller, as messages show it: short, and never walked into."""
    match value:
        case str() if len(value) > _LONGEST_NAME:
            return f"{value[:_LONGEST_NAME]!r}…"
        case str() | int() | float() | None:
            return f"{value!r:.{_LONGEST_NAME}}"
        case list():
            return "a list"
        case _:
            return "an object"


def _likely(name: str, names: Sequence[str]) -> Sequence[str]:
    """Those that have most in common with it: comparing letter by letter takes a second for some ten thousand names."""
    if len(names) <= _COMPARED_NAMES:
        return names
    wanted = _trigrams(name)
    return nlargest(_COMPARED_NAMES, names, key=lambda other: len(wanted & _trigrams(other)))


@lru_cache(maxsize=16_384)
def _trigrams(name: str) -> frozenset[str]:
    folded = name.lower()
    return frozenset(folded[start : start + 3] for start in range(len(folded) - 2))


@lru_cache(maxsize=16_384)
def _path(name: str) -> str:
    return name.replace("\\", "/").lower()


@lru_cache(maxsize=16_384)
def _stem(name: str) -> str:
    """What is left of a file's name without its folder and extension."""
    return _MODEL_FILE.sub("", _path(name).rpartition("/")[2])
