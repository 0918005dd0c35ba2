"""What is wanted of finished pictures, and who can do it."""

import json
from typing import Any

import pytest

from imagegen.v1 import backend_pb2
from imagegen_gateway.dialects.a1111.extras import Enlarging, enlarging_of, graph_of
from imagegen_gateway.dialects.a1111.faults import Refused
from imagegen_gateway.dialects.a1111.fields import EXTRA_SINGLE, read
from imagegen_gateway.dialects.a1111.names import UPSCALER, Stock
from tests.gateway.dialects.a1111.test_names import model, stock

MODELS = (model(UPSCALER, "x4.pth", "comfy"), model(UPSCALER, "R-ESRGAN 4x+", "auto"))
COMFY = backend_pb2.Backend(name="comfy", capabilities=backend_pb2.BackendCapabilities(graphs=True))
AUTO = backend_pb2.Backend(name="auto")
BOTH = stock(*MODELS, backends=[COMFY, AUTO])


def wanted(there: Stock = BOTH, **values: Any) -> Enlarging | None:
    return enlarging_of(read(json.dumps(values).encode(), EXTRA_SINGLE), there)


@pytest.mark.parametrize(
    ("values", "size", "html"),
    [
        ({"upscaling_resize": 1.5}, (96, 104), "<p>Postprocess upscale by: 1.5, Postprocess upscaler: x4.pth</p>"),
        (
            {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 60},
            (100, 60),
            "<p>Postprocess upscale to: 100x60, Postprocess crop to: 100x60, Postprocess upscaler: x4.pth</p>",
        ),
        (
            {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 60, "upscaling_crop": False},
            (96, 112),
            "<p>Postprocess upscale to: 100x60, Postprocess upscaler: x4.pth</p>",
        ),
    ],
)
def test_sizes_are_those_of_a1111(values: dict[str, Any], size: tuple[int, int], html: str) -> None:
    enlarging = wanted(upscaler_1="x4.pth", **values)
    assert enlarging is not None
    assert (enlarging.target(64, 72), enlarging.html) == (size, html)
    graph = graph_of(enlarging, 64, 72)
    assert (graph["size"]["inputs"]["width"], graph["size"]["inputs"]["height"]) == size
    assert graph["upscaler"]["inputs"] == {"model_name": "x4.pth"}


def test_what_needs_no_model_has_none_in_its_graph() -> None:
    assert wanted() is None
    enlarging = wanted(upscaler_1="Nearest")
    assert enlarging is not None
    graph = graph_of(enlarging, 64, 72)
    assert sorted(graph) == ["image", "save", "size"]
    assert graph["size"]["inputs"]["upscale_method"] == "nearest-exact"


@pytest.mark.parametrize(
    ("there", "values", "message"),
    [
        (BOTH, {"upscaler_1": "nope"}, "could not find upscaler named nope"),
        (BOTH, {"upscaler_1": "R-ESRGAN 4x+"}, "at backends only that take no graphs"),
        (stock(*MODELS, backends=[AUTO]), {"upscaler_1": "Lanczos"}, "there is none"),
        (BOTH, {"gfpgan_visibility": 0.5}, "gfpgan_visibility"),
        (BOTH, {"upscaler_1": "Lanczos", "upscaling_resize": 9}, "upscaling_resize"),
        (BOTH, {"upscaler_1": "Lanczos", "resize_mode": 2}, "resize_mode"),
        (BOTH, {"upscaler_1": "Lanczos", "resize_mode": 1, "upscaling_resize_w": 0}, "upscaling_resize_w"),
    ],
)
def test_what_nobody_can_do_is_refused(there: Stock, values: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused, match=message.replace("+", r"\+")):
        wanted(there, **values)
