"""Decides what a picture shows: prompt and seed in, a complete description out."""

import math
from dataclasses import dataclass

from imagegen_adapters.demo.colors import COLORS, PALETTES, Color, Palette
from imagegen_adapters.demo.fields import Dice, Frame
from imagegen_adapters.demo.prompt import PLACES, Brief
from imagegen_adapters.demo.subjects import SUBJECTS

_HOURS = ("day", "dawn", "sunset", "golden", "dusk", "night", "candy", "mint")
_DARK_HOURS = frozenset({"night", "aurora", "dusk"})
_LAND = ("land", "near", "far")


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of the frame, in its units."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What a picture shows. Lengths in units of the frame."""

    key: str
    """Makes all noise of this scene its own."""
    palette: Palette
    hour: str
    place: str
    is_chosen: bool
    """Hour or place come from the prompt."""
    horizon: float
    sun_x: float
    sun_y: float
    sun_size: float
    has_moon: bool
    has_sun: bool
    has_aurora: bool
    cloudiness: float
    """0..1."""
    starriness: float
    """0..1."""
    ranges: int
    """Layers of mountains or hills behind each other."""
    roughness: float
    """0: rolling hills; 1: rugged peaks."""
    extras: frozenset[str]
    subject: str = ""
    subject_x: float = 0.0
    subject_y: float = 0.0
    subject_size: float = 0.0
    subject_color: Color | None = None
    faces_right: bool = False
    dimness: float = 0.0


def composed(brief: Brief, seed: int, guidance: float, frame: Frame, inside: Box | None = None) -> Scene:
    """The scene for a brief. `inside`: where the subject goes, if not anywhere.

    `guidance` 0: the seed alone chooses the colours; 1: as the brief says; above: more so.
    """
    dice = Dice("scene", seed)
    chance = _open_choice(dice, _HOURS, brief.banned)
    hour = brief.hour or (chance if inside is None else "day")
    place = brief.place or _default_place(dice, brief)
    is_dark = hour in _DARK_HOURS
    horizon = frame.bottom * _horizon_share(place, dice)
    sun_x = frame.right * (dice.between(0.16, 0.42) if dice.between(0, 1) < 0.5 else dice.between(0.58, 0.84))
    sun_height = dice.between(0.5, 0.72) if hour in ("day", "mint", "storm") or is_dark else dice.between(0.05, 0.3)
    cloudiness = dice.between(0.25, 0.75) if not is_dark else dice.between(0.05, 0.4)
    ranges = 3 + dice.choice(3)
    roughness = dice.between(0.35, 1.0)
    faces_right = dice.between(0, 1) < 0.5
    offset = dice.between(-1, 1)
    x, y, size = _spot(brief.subject, frame, inside, horizon=horizon, is_left=sun_x >= frame.right / 2, offset=offset)
    banned = brief.banned
    return Scene(
        key=f"{seed}",
        palette=_colored(PALETTES[hour], brief, seed, guidance),
        hour=hour,
        place=place,
        is_chosen=bool(brief.hour or brief.place),
        horizon=horizon,
        sun_x=sun_x,
        sun_y=max(horizon * (1 - sun_height), 0.09),
        sun_size=dice.between(0.05, 0.085) * (1.25 if hour in ("sunset", "dawn", "golden", "candy") else 0.85),
        has_moon=(is_dark or "moon" in brief.extras) and "moon" not in banned,
        has_sun=not is_dark and hour != "storm" and "moon" not in brief.extras and "sun" not in banned,
        has_aurora=hour == "aurora",
        cloudiness=0.0
        if "clouds" in banned
        else max(cloudiness, 0.85 if brief.extras & {"clouds", "rain"} or hour == "storm" else 0),
        starriness=0.0
        if "stars" in banned
        else (1.0 if hour in ("night", "aurora") or "stars" in brief.extras else 0.35 if is_dark else 0.0),
        ranges=ranges,
        roughness=roughness,
        extras=_extras(brief, place, hour, dice),
        subject=brief.subject,
        subject_x=x,
        subject_y=y,
        subject_size=size,
        subject_color=COLORS[brief.subject_color] if brief.subject_color else None,
        faces_right=faces_right,
        dimness=0.5 if hour in ("night", "aurora") else 0.3 if hour in ("dusk", "sunset", "storm") else 0.08,
    )


def _spot(
    name: str, frame: Frame, inside: Box | None, *, horizon: float, is_left: bool, offset: float
) -> tuple[float, float, float]:
    """Where the subject stands, and its size: away from the sun, on what carries it; within `inside` if given."""
    subject = SUBJECTS.get(name)
    if subject is None:
        return 0.0, 0.0, 0.0
    if inside is not None:
        width, height = inside.right - inside.left, inside.bottom - inside.top
        size = min(max(0.06, min(height * 0.92, width * 0.95)), 1.0)
        return (inside.left + inside.right) / 2, inside.bottom - height * 0.04, size
    size = subject.size * min(1.0, 0.75 + 0.25 * frame.bottom)
    x = frame.right * (0.38 if is_left else 0.62) + 0.05 * offset
    if subject.is_flying:
        return x, max(size * 1.05, horizon * 0.86), size
    if subject.is_afloat:
        return x, horizon + (frame.bottom - horizon) * 0.42, size
    return x, frame.bottom * 0.90, size


def _open_choice(dice: Dice, names: tuple[str, ...], banned: frozenset[str]) -> str:
    chosen = dice.choice(len(names))
    left = [name for name in names[chosen:] + names[:chosen] if name not in banned]
    return left[0] if left else names[chosen]


def _default_place(dice: Dice, brief: Brief) -> str:
    wanted = _open_choice(dice, PLACES[:6], brief.banned)
    subject = SUBJECTS.get(brief.subject)
    if subject is not None and subject.is_afloat:
        return "sea"
    if brief.subject in ("fox", "rabbit", "bird") and wanted in ("sea", "desert", "lake"):
        return "forest" if "forest" not in brief.banned else "meadow"
    if brief.subject in ("house", "tree", "cat") and wanted in ("sea", "desert"):
        return "meadow"
    if brief.subject == "lighthouse":
        return "sea"
    return wanted


def _horizon_share(place: str, dice: Dice) -> float:
    low, high = {
        "sea": (0.52, 0.62), "lake": (0.56, 0.64), "desert": (0.52, 0.62), "city": (0.66, 0.74),
        "meadow": (0.52, 0.62), "snow": (0.56, 0.66), "forest": (0.58, 0.66), "mountains": (0.58, 0.68),
    }[place]  # fmt: skip
    return dice.between(low, high)


def _extras(brief: Brief, place: str, hour: str, dice: Dice) -> frozenset[str]:
    chosen = set(brief.extras)
    if place == "meadow":
        chosen.add("flowers")
    if place == "snow" and dice.between(0, 1) < 0.6:
        chosen.add("snowfall")
    if hour == "storm":
        chosen.add("rain")
    if hour in ("day", "sunset", "dawn", "golden", "candy") and dice.between(0, 1) < 0.6:
        chosen.add("birds")
    return frozenset(chosen) - brief.banned


def _colored(palette: Palette, brief: Brief, seed: int, guidance: float) -> Palette:
    """The palette, moved by the words of the prompt as far as `guidance` says."""
    strength = min(1.0, guidance)
    wander = Dice("wander", seed).between(-0.5, 0.5) * (1 - strength)
    hue = Dice("words", *sorted(set(brief.others))).between(-0.07, 0.07) if brief.others else 0.0
    palette = palette.turned(wander + hue * strength)
    names: tuple[tuple[str, ...], ...] = ((), _LAND, ("accent", "light", "glow"))
    for color, part in zip(brief.colors, names if len(brief.colors) > 1 else ((),), strict=False):
        palette = palette.tinted(COLORS[color], (0.62 if not part else 0.7) * strength, part)
    for word in sorted(brief.banned & COLORS.keys()):
        palette = _without(palette, COLORS[word])
    return palette.vivid(0.55 + 0.45 * guidance if guidance < 1 else 1 + 0.28 * (guidance - 1))


def _without(palette: Palette, color: Color) -> Palette:
    """The palette with what is near a colour's hue greyed and drawn to the opposite one."""
    opposite = (1 - color[0], 1 - color[1], 1 - color[2])
    moved = {name: _likeness(own, color) for name, own in palette.colors().items()}
    for name, likeness in moved.items():
        if likeness > 0.5:
            palette = palette.tinted(opposite, 0.8 * likeness, (name,))
    return palette


def _likeness(color: Color, other: Color) -> float:
    """1 for the same hue, down to -1 for the opposite; 0 for greys."""
    a, b = _hue(color), _hue(other)
    size = math.sqrt(_product(a, a) * _product(b, b))
    return _product(a, b) / size if size > 1e-4 else 0.0


def _hue(color: Color) -> Color:
    """What makes it differ from grey."""
    grey = (color[0] + color[1] + color[2]) / 3
    return (color[0] - grey, color[1] - grey, color[2] - grey)


def _product(a: Color, b: Color) -> float:
    # Not by sum(), which newer Pythons round differently.
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
