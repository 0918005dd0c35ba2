"""What the server says of a sampler or a schedule that is not there, by the names that clients of A1111 know. Pure."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.a1111 import lists
from imagegen_gateway.dialects.a1111.names import CHECKPOINT, SAMPLER, SCHEDULER, Stock
from imagegen_gateway.errors import FieldError, Problem

LISTS: Final[dict[str, tuple[int, Callable[[Stock], list[dict[str, Any]]]]]] = {
    "sampler": (SAMPLER, lists.samplers),
    "scheduler": (SCHEDULER, lists.schedulers),
}


def by_listed_names(problem: Problem, spec: job_pb2.JobSpec, stock: Stock) -> Problem:
    """The problem, saying what is allowed as the lists of this dialect do."""
    problem.errors = tuple(_told(error, spec, stock) for error in problem.errors)
    return problem


def _told(error: FieldError, spec: job_pb2.JobSpec, stock: Stock) -> FieldError:
    name = error.field.removeprefix("spec.image.")
    if name not in LISTS:
        return error
    kind, listed = LISTS[name]
    wanted, reach = str(getattr(spec.image, name)), _within_reach(spec, stock)
    known = [model.name for model in reach.of_type(kind)]
    if not known or wanted in known:
        return error  # it is there, but not together with something else: the server knows better
    allowed = ", ".join(row["name"] for row in listed(reach))
    return replace(error, description=f"no such {name} {wanted[:64]!r}; allowed: {allowed}")


def _within_reach(spec: job_pb2.JobSpec, stock: Stock) -> Stock:
    """What the backends have that may take the job."""
    if spec.backend:
        able = frozenset({spec.backend})
    elif spec.image.model:
        able = stock.holders(CHECKPOINT, spec.image.model)
    else:
        return stock
    return replace(stock, models=[model for model in stock.models if able.intersection(model.backends)])
