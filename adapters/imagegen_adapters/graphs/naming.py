"""What somebody may have meant by a name that there is not. Pure."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from heapq import nlargest

_LISTED_NAMES = 20
_COMPARED_NAMES = 50


def unknown_name(what: str, name: object, allowed: Iterable[str]) -> str:
    """A sentence that says what would be right, the nearest names first."""
    names = list(allowed)
    if not names:
        return f"no such {what} {name!r}; the backend has none"
    near = get_close_matches(str(name), _likely(str(name), names), n=5, cutoff=0.6)
    listed = (near + [other for other in names if other not in near])[:_LISTED_NAMES]
    more = f" and {len(names) - len(listed)} more" if len(names) > len(listed) else ""
    return f"no such {what} {name!r}; allowed: {', '.join(listed)}{more}"


def _likely(name: str, names: Sequence[str]) -> Sequence[str]:
    """Those that have most in common with it: comparing letter by letter takes a second for some ten thousand names."""
    if len(names) <= _COMPARED_NAMES:
        return names
    wanted = _trigrams(name)
    return nlargest(_COMPARED_NAMES, names, key=lambda other: len(wanted & _trigrams(other)))


def _trigrams(name: str) -> frozenset[str]:
    folded = name.lower()
    return frozenset(folded[start : start + 3] for start in range(len(folded) - 2))
