"""The OpenAPI document of the tools, small and written for language models, which read nothing else about them."""

from typing import Any, Final

from imagegen_gateway.dialects.tools.arguments import Arguments, EditArguments, PictureArguments, StatusArguments

GENERATE: Final = (
    "Makes a new picture from a description and shows it to the user, who watches it being made. "
    "Use it whenever the user asks for an image, drawing, photo, logo or other picture. "
    "It answers when the picture is finished; do not describe it as if you saw it."
)
EDIT: Final = (
    "Changes a picture: one that the user attached, or the newest of the chat, and shows the result to the user. "
    "Use it when the user wants something different in an existing picture; "
    "for something new use generate_image."
)
STATUS: Final = (
    "Tells how a picture is coming along that generate_image or edit_image was asked for. "
    "Only needed when the user asks about an earlier one; both answer by themselves when they are done."
)
RESULT: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "description": "success, or how the job stands."},
        "message": {"type": "string", "description": "What to tell the user, or to do next."},
        "job_id": {"type": "string"},
        "images": {"type": "array", "items": {"type": "string"}, "description": "Pictures, for edit_image."},
        "size": {"type": "string"},
        "seed": {"type": "integer"},
    },
    "required": ["status", "message", "job_id"],
}
ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"detail": {"type": "string", "description": "What is wrong, and what is allowed."}},
    "required": ["detail"],
}


def document(version: str) -> dict[str, Any]:
    """The whole of it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "imagegen",
            "description": "Makes and changes pictures, which emerge in the chat while they are made.",
            "version": version,
        },
        "servers": [{"url": "/tools"}],
        "paths": {
            "/generate_image": _operation("generate_image", "Make a picture", GENERATE, PictureArguments),
            "/edit_image": _operation("edit_image", "Change a picture", EDIT, EditArguments),
            "/image_status": _operation("image_status", "Ask about a picture", STATUS, StatusArguments),
        },
    }


def _operation(name: str, summary: str, description: str, arguments: type[Arguments]) -> dict[str, Any]:
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "description": description,
            "requestBody": {"required": True, "content": _json(schema(arguments))},
            "responses": {
                "200": {"description": "The answer.", "content": _json(RESULT)},
                "default": {"description": "What is wrong.", "content": _json(ERROR)},
            },
        }
    }


def _json(content: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": content}}


def schema(arguments: type[Arguments]) -> dict[str, Any]:
    """The schema of arguments as models read it best: without titles, and without null beside what may be left out."""
    whole = arguments.model_json_schema()
    return {
        "type": "object",
        "properties": {name: _plain(about) for name, about in whole["properties"].items()},
        "required": whole["required"],
        "additionalProperties": False,
    }


def _plain(about: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in about.get("anyOf", ()) if kind != {"type": "null"}]
    kept = {key: value for key, value in about.items() if key not in {"title", "default", "anyOf"}}
    return {**(kinds[0] if kinds else {}), **kept}
