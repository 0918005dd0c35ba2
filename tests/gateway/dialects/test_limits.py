"""What the dialects let through is what the contract allows: their own sentences must not set other limits."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import protovalidate
import pytest

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.a1111.fields import IMG2IMG, read
from imagegen_gateway.dialects.a1111.names import Stock
from imagegen_gateway.dialects.a1111.options import Choice
from imagegen_gateway.dialects.a1111.orders import order_of
from imagegen_gateway.dialects.openai import syntax
from imagegen_gateway.dialects.openai.parameters import EDIT, parse
from imagegen_gateway.dialects.tools.arguments import EditArguments, parse_arguments
from imagegen_gateway.errors import Problem

FLAGS: Final = {flag.field: flag.name for flag in syntax.FLAGS}
TOOLS: Final = {"steps": "steps", "seed": "seed", "denoise": "strength"}
A1111: Final = {"steps": "steps", "cfg_scale": "cfg_scale", "denoise": "denoising_strength"}
CASES: Final[Mapping[str, tuple[float, ...]]] = {
    "steps": (0, 1, 500, 501),
    "cfg_scale": (0, 100, 100.5),
    "seed": (0, 2**63 - 1),
    "denoise": (0, 1, 1.5),
}


def is_taken(call: Callable[[], object]) -> bool:
    try:
        call()
    except (Problem, syntax.SyntaxProblem):
        return False
    return True


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in CASES.items() for value in values])
def test_numbers(field: str, value: float) -> None:
    parameters: dict[str, Any] = {"prompt": "a fox", "init_image": "0" * 64, field: value}
    is_right = not protovalidate.collect_violations(job_pb2.ImageParameters(**parameters))

    assert is_taken(lambda: parse({"prompt": "a fox", field: value}, EDIT)) is is_right
    assert is_taken(lambda: syntax.parse(f"a fox --{FLAGS[field]} {value}")) is is_right
    if field in TOOLS:
        assert is_taken(lambda: parse_arguments(EditArguments, {"prompt": "a fox", TOOLS[field]: value})) is is_right
    if field in A1111:
        body = json.dumps({"init_images": [""], A1111[field]: value}).encode()
        assert is_taken(lambda: order_of(read(body, IMG2IMG), Stock(), Choice(), random_seed=0)) is is_right


@pytest.mark.parametrize("side", [56, 64, 100, 768, 4096, 4104])
def test_sizes(side: int) -> None:
    is_right = not protovalidate.collect_violations(job_pb2.ImageParameters(prompt="a fox", width=side, height=64))
    size = f"{side}x64"
    assert is_taken(lambda: parse({"prompt": "a fox", "size": size}, EDIT)) is is_right
    assert is_taken(lambda: syntax.parse(f"a fox --size {size}")) is is_right
    assert is_taken(lambda: parse_arguments(EditArguments, {"prompt": "a fox", "size": size}).order()) is is_right
