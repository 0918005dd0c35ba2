"""The web page, as `make page` built it from gateway/web: every file, in the smallest form that a browser takes."""

import mimetypes
from collections.abc import Iterator
from hashlib import sha256
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

PACKED: Final = {"br": ".br", "gzip": ".gz"}
"""Encodings in which a file may lie beside itself, the smallest first."""
NAMED_BY_CONTENT: Final = "/assets/"
"""Files below it have a name of their own for each content, and never change."""
NOT_BUILT: Final = "The page is not built here: run `make page`. The API is described at /docs.\n"


def routes() -> list[web.RouteDef]:
    """aiohttp routes. Only what was built is served: no name from a request reaches the file system."""
    files = dict(built_files(resources.files("imagegen_gateway").joinpath("static"), "/"))
    if "/index.html" not in files:
        return [web.get("/", not_built)]
    plain = [path for path in files if not path.endswith(tuple(PACKED.values()))]
    served = {path: file_handler(path, files) for path in plain}
    return [web.get("/", served["/index.html"]), *(web.get(path, handler) for path, handler in served.items())]


def built_files(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Every file below a folder by its path, or nothing where there is no such folder."""
    if not folder.is_dir():
        return
    for item in folder.iterdir():
        if item.is_dir():
            yield from built_files(item, f"{prefix}{item.name}/")
        else:
            yield f"{prefix}{item.name}", item.read_bytes()


def file_handler(path: str, files: dict[str, bytes]) -> Handler:
    """A handler that gives one file, packed where the browser takes that, and 304 to who has it."""
    forms = {encoding: files[path + suffix] for encoding, suffix in PACKED.items() if path + suffix in files}
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    charset = "utf-8" if kind.startswith("text/") else None
    cache = "public, max-age=31536000, immutable" if path.startswith(NAMED_BY_CONTENT) else "no-cache"
    digest = sha256(files[path]).hexdigest()[:32]

    async def handle(request: web.Request) -> web.Response:
        encoding = chosen_encoding(request.headers.get("Accept-Encoding", ""), forms)
        headers = {"ETag": f'"{digest}-{encoding}"', "Cache-Control": cache, "Vary": "Accept-Encoding"}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        if encoding:
            headers["Content-Encoding"] = encoding
        body = forms[encoding] if encoding else files[path]
        return web.Response(body=body, content_type=kind, charset=charset, headers=headers)

    return handle


def chosen_encoding(accepted: str, forms: dict[str, bytes]) -> str:
    """The first form that a browser takes; empty: the file as it is."""
    offers = [offer.replace(" ", "").lower().partition(";q=") for offer in accepted.split(",")]
    taken = {name for name, _, quality in offers if quality.strip("0.") or not quality}
    return next((encoding for encoding in forms if encoding in taken), "")


async def not_built(_: web.Request) -> web.Response:
    """What is at / of a checkout that was never built."""
    return web.Response(status=503, text=NOT_BUILT)
