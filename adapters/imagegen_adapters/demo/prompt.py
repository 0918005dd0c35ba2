"""What the painter understands of a prompt: a small vocabulary, and a hash of all else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from imagegen_adapters.demo.colors import COLORS, PALETTES

_MAX_WORDS = 400

PLACES = ("mountains", "lake", "forest", "sea", "meadow", "desert", "snow", "city")
SUBJECTS = ("fox", "cat", "rabbit", "bird", "sailboat", "house", "castle", "lighthouse", "balloon", "whale", "tree")
EXTRAS = ("clouds", "stars", "moon", "sun", "rain", "fog", "birds", "flowers", "snowfall")

_SYNONYMS = {
    # hours
    "morning": "dawn", "sunrise": "dawn", "noon": "day", "sunny": "day", "daylight": "day", "evening": "sunset",
    "twilight": "dusk", "midnight": "night", "dark": "night", "moonlight": "night", "starry": "night",
    "autumn": "golden", "fall": "golden", "hour": "golden", "stormy": "storm", "thunder": "storm", "cloudy": "storm",
    "fantasy": "candy", "magical": "candy", "dreamy": "candy", "pastel": "candy", "spring": "mint", "fresh": "mint",
    "northern": "aurora", "borealis": "aurora",
    # places
    "mountain": "mountains", "hill": "mountains", "alps": "mountains", "peak": "mountains", "valley": "mountains",
    "lakes": "lake", "river": "lake", "pond": "lake", "reflection": "lake", "wood": "forest", "pine": "forest",
    "jungle": "forest", "ocean": "sea", "beach": "sea", "coast": "sea", "wave": "sea", "island": "sea", "water": "sea",
    "field": "meadow", "grass": "meadow", "garden": "meadow", "farm": "meadow", "dune": "desert", "sand": "desert",
    "canyon": "desert", "winter": "snow", "ice": "snow", "snowy": "snow", "arctic": "snow", "town": "city",
    "skyline": "city", "street": "city", "cyberpunk": "city", "skyscraper": "city",
    # subjects
    "foxes": "fox", "wolf": "fox", "wolves": "fox", "dog": "fox", "kitten": "cat", "kitty": "cat", "bunny": "rabbit",
    "hare": "rabbit", "owl": "bird", "robin": "bird", "sparrow": "bird", "raven": "bird", "boat": "sailboat",
    "ship": "sailboat", "sail": "sailboat", "yacht": "sailboat", "cabin": "house", "cottage": "house", "hut": "house",
    "home": "house", "fortress": "castle", "tower": "castle", "palace": "castle", "beacon": "lighthouse",
    "airship": "balloon", "dolphin": "whale", "oak": "tree",
    # extras
    "cloud": "clouds", "star": "stars", "sunlight": "sun", "rainy": "rain", "mist": "fog", "misty": "fog",
    "foggy": "fog", "haze": "fog", "flock": "birds", "flower": "flowers", "poppy": "flowers", "poppies": "flowers",
    "tulip": "flowers", "rose": "flowers", "snowflake": "snowfall", "blizzard": "snowfall", "snowing": "snowfall",
    # colours
    "crimson": "red", "scarlet": "red", "amber": "orange", "golden": "gold", "emerald": "green", "turquoise": "teal",
    "cyan": "teal", "azure": "blue", "indigo": "blue", "violet": "purple", "lilac": "purple", "magenta": "pink",
    "grey": "gray", "tan": "brown",
}  # fmt: skip
# Words that say nothing about the picture, here: they do not move its colours.
_SILENT = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "by",
        "with",
        "and",
        "or",
        "over",
        "under",
        "to",
        "from",
        "for",
        "is",
        "are",
        "very",
        "highly",
        "detailed",
        "beautiful",
        "masterpiece",
        "best",
        "quality",
        "photo",
        "photograph",
        "picture",
        "image",
        "painting",
        "illustration",
        "style",
        "art",
        "4k",
        "8k",
        "hd",
    ]
)


@dataclass(frozen=True, slots=True)
class Brief:
    """What the picture should show. Empty parts are left to the seed."""

    hour: str = ""
    """A key of `PALETTES`."""
    place: str = ""
    subject: str = ""
    subject_color: str = ""
    """The colour named right before the subject."""
    colors: tuple[str, ...] = ()
    """All other colours."""
    extras: frozenset[str] = frozenset()
    banned: frozenset[str] = frozenset()
    """Words of the vocabulary that must not show."""
    others: tuple[str, ...] = ()
    """Words outside the vocabulary: they turn the palette a little."""


def read(prompt: str, negative_prompt: str) -> Brief:
    """The brief of a prompt. What the negative prompt names is taken out, whether asked for or not."""
    banned = frozenset(_words(negative_prompt))
    words = [word for word in _words(prompt) if word not in banned]
    subject = next((word for word in words if word in SUBJECTS), "")
    subject_color = _color_before(words, subject)
    colors = [word for word in words if word in COLORS]
    if subject_color:
        colors.remove(subject_color)
    return Brief(
        hour=_hour(words),
        place=next((word for word in words if word in PLACES), ""),
        subject=subject,
        subject_color=subject_color,
        colors=tuple(dict.fromkeys(colors))[:3],
        extras=frozenset(words) & frozenset(EXTRAS),
        banned=banned,
        others=tuple(word for word in words if not _is_known(word)),
    )


def _words(text: str) -> list[str]:
    found = re.findall(r"[^\W_]+", text.lower())[:_MAX_WORDS]
    return [word for word in map(_meaning, found) if word not in _SILENT]


def _meaning(word: str) -> str:
    """The word of the vocabulary that it stands for, or itself."""
    for form in (word, word.removesuffix("s"), word.removesuffix("es")):
        if form in _SYNONYMS:
            return _SYNONYMS[form]
        if _is_known(form):
            return form
    return word


def _is_known(word: str) -> bool:
    return word in COLORS or word in PALETTES or word in PLACES or word in SUBJECTS or word in EXTRAS


def _hour(words: Iterable[str]) -> str:
    return next((word for word in words if word in PALETTES), "")


def _color_before(words: list[str], subject: str) -> str:
    if not subject:
        return ""
    before = words[max(0, words.index(subject) - 2) : words.index(subject)]
    return next((word for word in reversed(before) if word in COLORS), "")
