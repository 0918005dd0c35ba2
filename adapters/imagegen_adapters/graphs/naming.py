"""What somebody may have meant by a name that there is not. Pure."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from typing import Final

LISTED_NAMES: Final = 20
_NEAR_NAMES = 5
_COMPARED_NAMES = 50
_MOST_COUNTED = 20_000
_LONGEST_NAME = 256
_WRITTEN = str | int | float
_MODEL_FILE = re.compile(r"\.(?:safetensors|sft|ckpt|pth?|bin|gguf|onnx)$", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)  # without slots: the suggestions are kept once they have been found
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
            alike = f"; alike: {', '.join(listed)}" if listed else ""
            return f"no such {self.what} {shown(self.name)}{alike}"
        more = f" and {len(self.allowed) - len(listed)} more" if len(self.allowed) > len(listed) else ""
        return f"no such {self.what} {shown(self.name)}; allowed: {', '.join(listed)}{more}"

    @cached_property
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
    index = _index(tuple(allowed))
    path = _path(name)
    same = sorted(index.by_stem.get(_stem(name), ()), key=lambda other: _path(other) != path)
    by_folded = {other.lower(): other for other in index.likely(name)}
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


class _Index:
    """Names by what they are made of: to compare a name with ten thousand others letter by letter takes a second."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self.by_stem: dict[str, list[str]] = {}
        self._holders: dict[str, list[int]] = {}
        for number, name in enumerate(names):
            stem = _stem(name)
            self.by_stem.setdefault(stem, []).append(name)
            for trigram in _trigrams(stem):
                self._holders.setdefault(trigram, []).append(number)

    def likely(self, name: str) -> Sequence[str]:
        """Those that have most in common with it; what few names have in common counts, what most have need not."""
        if len(self._names) <= _COMPARED_NAMES:
            return self._names
        common = Counter[int]()
        for holders in sorted((self._holders.get(each, []) for each in _trigrams(_stem(name))), key=len):
            common.update(holders)
            if common.total() > _MOST_COUNTED:
                break
        return [self._names[number] for number, _ in common.most_common(_COMPARED_NAMES)]


@lru_cache(maxsize=4)
def _index(names: tuple[str, ...]) -> _Index:
    return _Index(names)


def _trigrams(name: str) -> frozenset[str]:
    return frozenset(name[start : start + 3] for start in range(len(name) - 2))


def _path(name: str) -> str:
    return name.replace("\\", "/").lower()


def _stem(name: str) -> str:
    """What is left of a file's name without its folder and extension."""
    return _MODEL_FILE.sub("", _path(name).rpartition("/")[2])
