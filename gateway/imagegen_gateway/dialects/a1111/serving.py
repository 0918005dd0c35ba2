"""Lists and settings: what A1111's clients ask before they ask for pictures."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from imagegen_gateway.callers import caller_of
from imagegen_gateway.dialects.a1111 import options
from imagegen_gateway.dialects.a1111.desk import Desk
from imagegen_gateway.dialects.a1111.faults import http_exception
from imagegen_gateway.dialects.a1111.fields import parse
from imagegen_gateway.dialects.a1111.names import Stock
from imagegen_gateway.dialects.a1111.stock import Stockroom
from imagegen_gateway.dialects.bodies import read_bytes
from imagegen_gateway.dialects.kit import Kit

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Counter:
    """Answers what needs no picture."""

    def __init__(self, kit: Kit, stockroom: Stockroom, desk: Desk) -> None:
        self._kit = kit
        self._stockroom = stockroom
        self._desk = desk

    async def options(self, request: web.Request) -> web.Response:
        """The client's settings."""
        stock = await self._stockroom.look()
        return web.json_response(options.shown(self._desk.client(caller_of(request)).choice, stock))

    async def set_options(self, request: web.Request) -> web.Response:
        """Changes the client's checkpoint and VAE."""
        values = parse(await read_bytes(request, self._kit.settings.max_body_bytes))
        stock = await self._stockroom.look()
        client = self._desk.client(caller_of(request))
        client.choice = options.changed(client.choice, values, stock)
        return web.json_response(None)

    async def refresh(self, request: web.Request) -> web.Response:  # noqa: ARG002  # a handler
        """Has all lists fetched again."""
        await self._stockroom.refresh()
        return web.json_response(None)

    def listing(self, make: Callable[[Stock], Any]) -> Handler:
        """Answers with what `make` says of the stock."""

        async def handle(request: web.Request) -> web.Response:  # noqa: ARG001  # a handler
            return web.json_response(make(await self._stockroom.look()))

        return handle


def fixed(document: Any) -> Handler:
    """Always the same answer."""

    async def handle(request: web.Request) -> web.Response:  # noqa: ARG001  # a handler
        return web.json_response(document)

    return handle


def refused(sentence: str) -> Handler:
    """Says that there is no such thing here: as a version without it, so that programs that can do without go on."""

    async def handle(request: web.Request) -> web.Response:  # noqa: ARG001  # a handler
        raise http_exception(404, sentence)

    return handle
