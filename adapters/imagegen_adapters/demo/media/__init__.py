"""The styles: each turns a scene into touches, which are then done step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from imagegen_adapters.demo.fields import Frame
from imagegen_adapters.demo.media import flow, geometric, nebula, watercolor
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.scenery import layers
from imagegen_adapters.demo.scenery.view import Layer

Passes: TypeAlias = Callable[[Scene, Frame], list[Layer]]


def _none(_scene: Scene, _frame: Frame) -> list[Layer]:
    return []


def _same(scene: Scene) -> Scene:
    return scene


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A "model": how a scene is painted."""

    name: str
    description: str
    adapted: Callable[[Scene], Scene] = _same
    """The scene as this style wants it."""
    layers: Passes = layers
    """What is painted first; the first layer ignores its input."""
    medium: Passes = _none
    """What then happens to the finished scene, or to an initial image."""


STYLES = (
    Style(name="demo-landscape", description="clear layered landscapes, as on a travel poster"),
    Style(name="demo-watercolor", description="washes of colour that dry on rough paper", medium=watercolor.passes),
    Style(
        name="demo-geometric",
        description="folded from triangles, small ones where there is detail",
        medium=geometric.passes,
    ),
    Style(name="demo-flow", description="thick brush strokes that follow a flow field", medium=flow.passes),
    Style(
        name="demo-nebula",
        description="glowing gas and stars over dark land",
        adapted=nebula.adapted,
        layers=nebula.layers,
        medium=nebula.passes,
    ),
)
