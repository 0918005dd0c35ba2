"""Problems of all kinds in A1111's shapes."""

import json
from typing import Any

import pytest

from imagegen_gateway.dialects.a1111.faults import OUR_FIELDS, answer_problem, unfit
from imagegen_gateway.errors import FieldError, Problem


def item(path: str, description: str = "no") -> Problem:
    return Problem(400, "x", reason="INVALID_REQUEST", errors=(FieldError(field=path, description=description),))


@pytest.mark.parametrize(
    ("problem", "status", "document"),
    [
        (Problem(404, "there is nothing"), 404, {"detail": "Not Found"}),
        (Problem(405, "not so"), 405, {"detail": "Method Not Allowed"}),
        (
            Problem(404, "no job", reason="JOB_NOT_FOUND"),
            404,
            {"error": "HTTPException", "detail": "no job", "body": "", "errors": ""},
        ),
        (
            Problem(401, "a key is needed", reason="UNAUTHENTICATED"),
            401,
            {"error": "HTTPException", "detail": "a key is needed", "body": "", "errors": ""},
        ),
        (unfit("a", "no"), 422, {"detail": [{"loc": ["body", "a"], "msg": "no", "type": "value_error"}]}),
    ],
)
def test_documents(problem: Problem, status: int, document: dict[str, Any]) -> None:
    response = answer_problem(problem)
    assert isinstance(response.body, bytes)
    assert (response.status, json.loads(response.body)) == (status, document)


@pytest.mark.parametrize(
    ("path", "place"),
    [
        *((f"spec.image.{ours}", list(theirs)) for ours, theirs in OUR_FIELDS.items()),
        ("spec.backend_options.a1111.override_settings.nope", ["override_settings", "nope"]),
        ("backend_options.a1111.styles", ["styles"]),
        ("image.width", ["width"]),
        ("spec.backend", []),
        ("Imagegen-Owner", ["Imagegen-Owner"]),
    ],
)
def test_fields_are_called_as_the_caller_called_them(path: str, place: list[str]) -> None:
    response = answer_problem(item(path))
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["detail"][0]["loc"] == ["body", *place]


def test_when_to_try_again_is_told() -> None:
    assert answer_problem(Problem(429, "full", reason="QUEUE_FULL", retry_after_s=7.2)).headers["Retry-After"] == "8"
