"""Puts the gateway together and runs it."""

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import structlog
from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, web
from aiohttp.http import HttpProcessingError

from imagegen.v1 import asset_pb2_grpc, image_gen_pb2_grpc, system_pb2_grpc
from imagegen_gateway import built_page, pages, sessions, transcoding
from imagegen_gateway.assets import Assets
from imagegen_gateway.callers import Callers, owner_of
from imagegen_gateway.channels import Channels, open_channels
from imagegen_gateway.config import GatewaySettings, parse_address
from imagegen_gateway.dialects import a1111, comfyui, openai, tools
from imagegen_gateway.dialects.kit import Kit
from imagegen_gateway.dialects.offers import Offers
from imagegen_gateway.dialects.rendering import Studio, open_studio
from imagegen_gateway.errors import Shape, problem_middleware
from imagegen_gateway.events import EventStreams
from imagegen_gateway.fetching import Fetcher
from imagegen_gateway.hub import Hubs, open_hubs
from imagegen_gateway.key_changes import KeyChanges
from imagegen_gateway.keyring import Keyring, open_keyring
from imagegen_gateway.live import LivePictures
from imagegen_gateway.security import Guard
from imagegen_gateway.system_events import SystemFeed, open_system_feed
from imagegen_gateway.thumbnails import Thumbnails
from imagegen_gateway.workflows import Workflows

log = structlog.get_logger(__name__)

BACKLOG: Final = 4096
"""Connections that may wait to be accepted: all browsers come back at once after a restart."""
SHUTDOWN_S: Final = 5.0
MAX_HEADER_BYTES: Final = 16 * 1024
DIALECTS: Final = (openai, a1111, comfyui, tools)


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Not a request that is no HTTP: aiohttp would write down what was sent, with a traceback each."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


def ignore_broken_forms() -> None:
    """Nor is a header of a form that is none: each other text would be a warning of its own, kept for ever."""
    for category in (BadContentDispositionHeader, BadContentDispositionParam):
        warnings.filterwarnings("ignore", category=category)


http_log = logging.getLogger("imagegen_gateway.http")
http_log.addFilter(is_worth_a_line)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway."""

    url: str
    """Where it listens, as "http://127.0.0.1:8000"."""
    hubs: Hubs
    """Its shared upstreams."""
    dialects: Mapping[str, str]
    """Where else it listens, by the name of the setting, as "a1111_http"."""


@asynccontextmanager
async def serve_gateway(settings: GatewaySettings) -> AsyncIterator[Gateway]:
    """A gateway that listens as `settings` say until the block is left; streams are ended then.

    The gRPC server need not be there yet. Raises OSError when the port is taken.
    """
    ignore_broken_forms()
    async with AsyncExitStack() as stack:
        channels = await stack.enter_async_context(open_channels(settings.server))
        hubs = await stack.enter_async_context(
            open_hubs(image_gen_pb2_grpc.ImageGenServiceStub(channels.events), settings)
        )
        feed = await stack.enter_async_context(open_system_feed(system_pb2_grpc.SystemServiceStub(channels.events)))
        keyring = await stack.enter_async_context(open_keyring(settings.keys, channels.events))
        studio = await stack.enter_async_context(open_studio(channels.events, hubs, settings.rpc_timeout_s))
        urls = {}
        for name, app in build_apps(settings, channels, hubs, feed, studio, keyring).items():
            urls[name] = await stack.enter_async_context(listening(app, getattr(settings, name)))
            log.info("gateway listens", url=urls[name], setting=name, server=settings.server)
        stack.callback(hubs.close)  # before the runners, which wait for the streams
        yield Gateway(urls.pop("http"), hubs, urls)
    log.info("gateway stopped")


@asynccontextmanager
async def listening(app: web.Application, address: str) -> AsyncIterator[str]:
    """Serves an application at HOST:PORT until the block is left. Gives its URL. Raises OSError."""
    host, port = parse_address(address)
    runner = web.AppRunner(
        app,
        access_log=None,  # addresses hold prompts
        logger=http_log,
        auto_decompress=False,  # before the handler, the key and every limit: a few kilobytes unfold to gigabytes
        handler_cancellation=True,  # else the handler of a browser that went away goes on for ever
        shutdown_timeout=SHUTDOWN_S,
        max_field_size=MAX_HEADER_BYTES,
        max_line_size=MAX_HEADER_BYTES,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_port=False).start()
        yield address_of(runner, host)
    finally:
        await runner.cleanup()


def build_apps(
    settings: GatewaySettings, channels: Channels, hubs: Hubs, feed: SystemFeed, studio: Studio, keyring: Keyring
) -> dict[str, web.Application]:
    """What is at each address, by the name of its setting: at the first everything, at others a dialect at the root."""
    jobs = image_gen_pb2_grpc.ImageGenServiceStub(channels.events)
    thumbnails = Thumbnails(settings.thumbnail_cache_bytes)
    assets = Assets(asset_pb2_grpc.AssetServiceStub(channels.bulk), settings, thumbnails)
    kit = Kit(
        settings=settings,
        version=package_version(),
        keyring=keyring,
        channels=channels,
        studio=studio,
        assets=assets,
        offers=Offers(channels.events, settings.rpc_timeout_s),
        fetcher=Fetcher(settings.fetch_hosts, settings.max_upload_bytes),
    )
    spoken = {dialect: dialect.routes(kit) for dialect in DIALECTS}
    callers = Callers(settings, keyring)
    guard = Guard(settings, callers, keyring)
    app = build_app(settings, guard, {dialect.PREFIX: dialect.answer_problem for dialect in DIALECTS})
    app.add_routes(built_page.routes())
    app.add_routes(pages.routes(channels.events, kit.version, callers))
    app.add_routes(sessions.routes(callers, keyring))
    app.add_routes(EventStreams(hubs, feed, settings).routes())
    app.add_routes(LivePictures(jobs, hubs, assets, settings).routes())
    app.add_routes(assets.routes())
    import_json = transcoding.handler(transcoding.binding_of("ImportWorkflow"), channels.events, settings.rpc_timeout_s)
    app.add_routes(Workflows(channels.events, settings, assets, import_json).routes())
    for routes in spoken.values():
        app.add_routes(routes)
    arounds = KeyChanges(keyring, is_loopback=settings.is_loopback).arounds
    app.add_routes(transcoding.routes(channels.events, timeout_s=settings.rpc_timeout_s, arounds=arounds))
    apps = {"http": app}
    for name, dialect in (("a1111_http", a1111), ("comfyui_http", comfyui)):
        if getattr(settings, name):
            apps[name] = build_app(settings, guard, {"/": dialect.answer_problem})
            apps[name].add_routes([at_root(route, dialect.PREFIX) for route in spoken[dialect]])
    return apps


def build_app(settings: GatewaySettings, guard: Guard, shapes: Mapping[str, Shape]) -> web.Application:
    """An application without routes: what guards all of them, and the shapes of their errors."""
    app = web.Application(
        middlewares=[problem_middleware(shapes, owner_of), guard.middleware], client_max_size=settings.max_body_bytes
    )
    app.on_response_prepare.append(guard.add_headers)
    return app


def at_root(route: web.RouteDef, prefix: str) -> web.RouteDef:
    """The same route without the beginning of its path."""
    return web.route(route.method, "/" + route.path.removeprefix(prefix), route.handler, **route.kwargs)


def address_of(runner: web.AppRunner, wanted: str) -> str:
    """The address that was really bound: port 0 chooses one."""
    host, port = runner.addresses[0][:2]
    shown = wanted if wanted == "localhost" else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def package_version() -> str:
    """The version of the distribution."""
    try:
        return version("imagegen")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


async def run(settings: GatewaySettings, stop: asyncio.Event) -> None:
    """Serves until `stop` is set."""
    async with serve_gateway(settings):
        await stop.wait()
