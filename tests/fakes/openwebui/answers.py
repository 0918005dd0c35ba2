"""Who may ask, and errors in FastAPI's shape."""

from typing import Any

from aiohttp import web

from tests.fakes.openwebui.state import USER_OF_TOKEN

PROHIBITED = "You do not have permission to access this resource. Please contact your administrator for assistance."
INVALID_TOKEN = "Your session has expired or the token is invalid. Please sign in again."
NOT_FOUND = "We could not find what you're looking for :/"


def user_of(request: web.Request) -> str:
    """Who asks: "admin" or "user". Raises 401."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise problem(401, "Not authenticated")
    if token not in USER_OF_TOKEN:
        raise problem(401, INVALID_TOKEN)
    return USER_OF_TOKEN[token]


def check_admin(request: web.Request) -> None:
    """Raises 401 for everybody else."""
    if user_of(request) != "admin":
        raise problem(401, PROHIBITED)


def problem(status: int, detail: Any) -> web.HTTPException:
    """An error in FastAPI's shape."""
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        401: web.HTTPUnauthorized,
        403: web.HTTPForbidden,
        404: web.HTTPNotFound,
        422: web.HTTPUnprocessableEntity,
        500: web.HTTPInternalServerError,
    }
    return kinds[status](text=web.json_response({"detail": detail}).text, content_type="application/json")


def missing(*place: str) -> web.HTTPException:
    """What pydantic says of a field that is not there."""
    return problem(422, [{"loc": ["body", *place], "msg": "Field required", "type": "missing"}])
