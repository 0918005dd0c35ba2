"""Whoever is refused a sampler or a schedule is told those that the lists have."""

import pytest

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.a1111.refusals import by_listed_names
from imagegen_gateway.errors import FieldError, Problem
from tests.gateway.dialects.a1111.conftest import QUICK, Program
from tests.gateway.dialects.a1111.test_names import MIXED


@pytest.mark.parametrize(("field", "path"), [("sampler_name", "samplers"), ("scheduler", "schedulers")])
async def test_names_of_the_lists_are_allowed(program: Program, field: str, path: str) -> None:
    status, document = await program.refusal("/sdapi/v1/txt2img", {**QUICK, field: "nope"})
    [item] = document["detail"]
    assert (status, item["loc"]) == (422, ["body", field])
    names = [row["name"] for row in await program.get(f"/sdapi/v1/{path}")]
    kind = field.removesuffix("_name")
    assert item["msg"] == f"no such {kind} 'nope'; allowed: {', '.join(names)}"


def told(field: str, image: job_pb2.ImageParameters, backend: str = "") -> str:
    problem = Problem(400, "x", errors=(FieldError(field=f"spec.image.{field}", description="as it was"),))
    [error] = by_listed_names(problem, job_pb2.JobSpec(image=image, backend=backend), MIXED).errors
    return error.description


@pytest.mark.parametrize(
    ("model", "backend", "sampler", "expected"),
    [
        ("", "", "nope", "no such sampler 'nope'; allowed: Euler a, DPM++ 2M, res_multistep"),
        ("tiny", "", "DPM++ 2M", "no such sampler 'DPM++ 2M'; allowed: Euler a"),
        ("both.safetensors", "auto", "res_multistep", "no such sampler 'res_multistep'; allowed: Euler a"),
        ("", "", "dpmpp_2m", "as it was"),
        ("", "new", "nope", "as it was"),
    ],
)
def test_only_what_may_take_the_job_is_told(model: str, backend: str, sampler: str, expected: str) -> None:
    assert told("sampler", job_pb2.ImageParameters(model=model, sampler=sampler), backend) == expected


def test_other_fields_are_as_they_were() -> None:
    assert told("width", job_pb2.ImageParameters(width=1)) == "as it was"
