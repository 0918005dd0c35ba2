"""Which ComfyUI graphs the demo refuses, and at which input."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import pytest

from imagegen_adapters.contract import Adapter
from imagegen_adapters.demo.graphs.checking import MAX_NODES, graph_violations
from imagegen_adapters.errors import Rejected
from tests.adapters.conformance.observing import digest_of, performed, photograph
from tests.adapters.demo.graphs import Graph, changed, image_to_image, node, picture_only, raw, text_to_image

PATIENCE_S = 10.0
PHOTO = photograph(192, 128, (240, 120, 60))


def faults(graph: Graph, images: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    return {violation.field: violation.description for violation in graph_violations(raw(graph, images))}


@pytest.mark.parametrize(
    ("graph", "path", "description"),
    [
        (changed("4", ckpt_name="sd15"), '["4"].inputs.ckpt_name', "no such model 'sd15'; allowed: demo-landscape"),
        (changed("4", ckpt_name=["a"]), '["4"].inputs.ckpt_name', "must be a link"),
        (
            changed("3", sampler_name="dpmpp_9m"),
            '["3"].inputs.sampler_name',
            "no such choice 'dpmpp_9m'; allowed: demo",
        ),
        (changed("3", steps=0), '["3"].inputs.steps', "0 is below the smallest value 1"),
        (changed("3", cfg=float("nan")), '["3"].inputs.cfg', "must be a number, not nan"),
        (
            changed("3", positive=["5", 0]),
            '["3"].inputs.positive',
            "takes CONDITIONING, and output 0 of EmptyLatentImage (5) is LATENT",
        ),
        (
            changed("3", steps=["5", 0]),
            '["3"].inputs.steps',
            "takes INT, and output 0 of EmptyLatentImage (5) is LATENT",
        ),
        (changed("3", model="demo-landscape"), '["3"].inputs.model', "must be a link"),
        (changed("6", text=None), '["6"].inputs.text', "must be a text"),
        (changed("5", width=4096, height=4096), '["5"].inputs.width', "4096 x 4096 is too large"),
        (
            changed("5", width=2048, height=2048, batch_size=9),
            '["5"].inputs.batch_size',
            "9 images of 2048 x 2048 are too many; at most 8",
        ),
        (changed("5", batch_size=65), '["5"].inputs.batch_size', "65 is above the largest value 64"),
        (image_to_image(), '["load"].inputs.image', "no such file 'photo.png'"),
        ({**text_to_image(), "x": node("VAELoader")}, '["x"].class_type', "no such node class 'VAELoader'"),
    ],
)
def test_what_cannot_be_run_is_refused_at_its_input(graph: Graph, path: str, description: str) -> None:
    assert faults(graph)[f"graph.json{path}"].startswith(description)


def test_a_graph_has_so_many_nodes() -> None:
    more = {f"text-{i}": node("CLIPTextEncode", text="", clip=["4", 1]) for i in range(MAX_NODES)}
    assert faults({**text_to_image(), **more}) == {
        "graph.json": f"has 507 nodes; this backend takes at most {MAX_NODES}"
    }


def test_files_are_for_inputs_that_take_files() -> None:
    assert faults(text_to_image(), {"6.text": "0" * 64}) == {'graph.json["6"].inputs.text': "takes no file"}
    assert faults(image_to_image(), {"load.image": "0" * 64}) == {}


@pytest.mark.parametrize(
    ("graph", "files", "path"),
    [
        (image_to_image(), [b"no image"], 'graph.json["load"].inputs.image'),
        (image_to_image(load=node("LoadImage")), [], 'graph.images["load.image"]'),
        (
            image_to_image(
                small=node("ImageScale", image=["load", 0], upscale_method="area", width=4, height=4, crop="disabled"),
                encode=node("VAEEncode", pixels=["small", 0], vae=["4", 2]),
            ),
            [PHOTO],
            'graph.json["encode"].inputs.pixels',
        ),
        (
            image_to_image(
                small=node("ImageScaleBy", image=["load", 0], upscale_method="area", scale_by=0.1),
                encode=node("VAEEncode", pixels=["small", 0], vae=["4", 2]),
            ),
            [PHOTO],
            'graph.json["3"].inputs.latent_image',
        ),
        (
            picture_only(
                large=node("ImageScaleBy", image=["load", 0], upscale_method="area", scale_by=8),
                last=node("ImageScaleBy", image=["large", 0], upscale_method="area", scale_by=8),
            ),
            [PHOTO],
            'graph.json["last"]',
        ),
    ],
    ids=["unreadable", "missing", "too small to encode", "too small to paint", "too large"],
)
async def test_what_turns_out_to_be_impossible_is_refused_then(
    demo: Adapter, graph: Graph, files: Sequence[bytes], path: str
) -> None:
    source = raw(graph, {"load.image": digest_of(files[0] if files else b"")})
    assert not demo.validate(source)
    error = (await performed(demo, source, PATIENCE_S, files)).error
    assert isinstance(error, Rejected)
    assert [violation.field for violation in error.violations] == [path]
