"""Problems as OpenAI says them: {"error": {"message", "type", "param", "code"}}."""

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc
import orjson
from aiohttp import web

from imagegen_gateway.errors import Problem, from_rpc

NOT_AGAIN: Final = {"x-should-retry": "false"}
"""Header that keeps OpenAI's packages from asking again by themselves, as they do at 409, 429 and 5xx."""
NAMES: Final = {
    "width": "size",
    "height": "size",
    "count": "n",
    "spec": "model",
    "workflow": "model",
    "workflow_id": "model",
    "graph": "model",
    "json": "model",
}
"""What is called otherwise here than in the contract."""
PREFIX: Final = re.compile(r"^(spec\.)?(image\.|graph\.|workflow\.inputs\.|workflow\.)?")
"""Where the server's own fields lie."""


def answer_problem(problem: Problem) -> web.Response:
    """The answer as a whole."""
    if problem.status in {409, 500}:  # it would end the same way, and perhaps make pictures again
        problem = after_acceptance(problem)
    return problem.answer(orjson.dumps({"error": error_of(problem)}), sentence=message_of(problem))


def error_of(problem: Problem) -> dict[str, Any]:
    """What stands under "error"."""
    return {
        "message": message_of(problem),
        "type": type_of(problem.status),
        "param": parameter(problem.errors[0].field) if problem.errors else None,
        "code": problem.reason.lower() or None,
    }


def message_of(problem: Problem) -> str:
    """The sentence, with the caller's names for the fields, and when to try again."""
    message = problem.detail.replace("request_id", "Idempotency-Key")
    for error in problem.errors:
        if error.field:
            message = message.replace(f"{error.field}: ", f"{_shown(error.field)}: ")
    if problem.retry_after_s is None:
        return message
    return f"{message.removesuffix('; try again later')}; try again in {math.ceil(problem.retry_after_s)} s"


def parameter(path: str) -> str | None:
    """The caller's name for a field of the contract; None for the body as a whole."""
    name = re.split(r"[.\[]", PREFIX.sub("", path), maxsplit=1)[0]
    return "image" if name.startswith("init_image") else NAMES.get(name, name) or None


def _shown(path: str) -> str:
    """As `parameter`, but of a workflow also the place in it, which its author needs to know."""
    _, graph, place = path.partition("graph.json")
    return f"model, in its workflow {place}" if graph and place else parameter(path) or "the body"


def type_of(status: int) -> str:
    """The kind of error that a status is."""
    match status:
        case 401:
            return "authentication_error"
        case 403:
            return "permission_error"
        case 429:
            return "rate_limit_error"
        case _:
            return "invalid_request_error" if status < 500 else "server_error"


def after_acceptance(error: Problem | grpc.aio.AioRpcError) -> Problem:
    """What went wrong with a job that was accepted: to ask again would be to render again."""
    problem = from_rpc(error) if isinstance(error, grpc.aio.AioRpcError) else error
    problem.headers = {**problem.headers, **NOT_AGAIN}
    return problem


@contextmanager
def accepted() -> Iterator[None]:
    """Around what is done with a job that was accepted."""
    try:
        yield
    except (Problem, grpc.aio.AioRpcError) as exc:
        raise after_acceptance(exc) from exc
