"""Paints a scene, from back to front. Each layer takes the picture so far and gives a new one."""

from imagegen_adapters.demo.fields import Frame
from imagegen_adapters.demo.scene import Scene
from imagegen_adapters.demo.scenery.air import Air
from imagegen_adapters.demo.scenery.city import City
from imagegen_adapters.demo.scenery.figure import Figure
from imagegen_adapters.demo.scenery.land import Land
from imagegen_adapters.demo.scenery.mountains import Mountains
from imagegen_adapters.demo.scenery.sky import Sky
from imagegen_adapters.demo.scenery.trees import Trees
from imagegen_adapters.demo.scenery.view import Layer, View
from imagegen_adapters.demo.scenery.water import Water


def layers(scene: Scene, frame: Frame) -> list[Layer]:
    """The scene without its subject. The first layer ignores its input."""
    return [*Sky(View(scene, frame)).layers(), *ground_layers(scene, frame)]


def ground_layers(scene: Scene, frame: Frame) -> list[Layer]:
    """What lies below the sky."""
    view = View(scene, frame)
    land, water, trees, mountains = Land(view), Water(view), Trees(view), Mountains(view)
    match scene.place:
        case "sea":
            return [water.islands, water.surface, land.bank]
        case "lake":
            return [*mountains.layers(), water.surface, land.bank]
        case "desert":
            return land.dunes()
        case "city":
            return [*mountains.layers(), *City(view).layers()]
        case "forest":
            return [*mountains.layers(), land.mist, trees.far, trees.middle, land.near_hill, land.ground, trees.near]
        case "meadow":
            return [*mountains.layers(), land.far_hill, land.near_hill, land.ground]
        case _:
            framing = [trees.near] if scene.roughness > 0.7 else []
            return [*mountains.layers(), land.mist, land.far_hill, trees.far, land.near_hill, land.ground, *framing]


def subject(scene: Scene, frame: Frame) -> Layer:
    """Paints the scene's subject, if there is one."""
    return Figure(View(scene, frame)).paint


def finish(scene: Scene, frame: Frame) -> list[Layer]:
    """What goes over everything: birds, weather, the frame's dark corners."""
    return Air(View(scene, frame)).layers()
