"""`imagegen up`, `server`, `gateway`: the only place that knows both server and gateway."""

import asyncio
import errno
import shutil
import signal
import socket
import sys
import tomllib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from imagegen_client.client import Client
from imagegen_client.commands.exits import Exit
from imagegen_client.commands.printing import give
from imagegen_client.commands.session import DEFAULT_SERVER, Session, report, setting_problem
from imagegen_client.errors import ImagegenError, InvalidRequest, NotPossible

if TYPE_CHECKING:
    from imagegen_gateway.config import GatewaySettings
    from imagegen_server.config import ServerSettings

Start = Callable[[AsyncExitStack], Awaitable[None]]
"""Enters what is to run, and says where it can be reached."""

ComfyUIs = Annotated[list[str] | None, typer.Option("--comfyui", metavar="URL", help="A ComfyUI server; repeatable.")]
A1111s = Annotated[
    list[str] | None, typer.Option("--a1111", metavar="URL", help="An A1111, Forge or SD.Next server; repeatable.")
]
Demo = Annotated[
    bool | None,
    typer.Option("--demo/--no-demo", help="The built-in painter. Default: when there is no other backend."),
]
Grpc = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen here for gRPC. Default: 127.0.0.1:50051.")]
Http = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Listen here for HTTP. Default: 127.0.0.1:8000.")]
DataDir = Annotated[Path | None, typer.Option(file_okay=False, help="Folder of the database and the pictures.")]
Exposed = Annotated[
    bool, typer.Option("--allow-unauthenticated", help="Listen beyond this machine although there are no keys yet.")
]


def up(
    comfyui: ComfyUIs = None,
    a1111: A1111s = None,
    demo: Demo = None,
    grpc: Grpc = None,
    http: Http = None,
    data_dir: DataDir = None,
    allow_unauthenticated: Exposed = False,
) -> None:
    """Start server and gateway; the page's address is printed. Stops cleanly on Ctrl-C and SIGTERM."""
    with _read_settings():
        server = _server_settings(comfyui, a1111, demo, grpc, data_dir, allow_unauthenticated)
        gateway = _gateway_settings(http, None, allow_unauthenticated)

    async def start(stack: AsyncExitStack) -> None:
        from imagegen_gateway.app import serve_gateway
        from imagegen_server.app import serve

        _check_port(server.grpc, "--grpc")
        _check_http_ports(gateway)
        running = await stack.enter_async_context(serve(server))
        page = await stack.enter_async_context(serve_gateway(gateway.model_copy(update={"server": running.address})))
        _invite(page.url, running.address)
        await _watch_over(stack, running.address)

    _run(start, server)


def server(
    comfyui: ComfyUIs = None,
    a1111: A1111s = None,
    demo: Demo = None,
    grpc: Grpc = None,
    data_dir: DataDir = None,
    allow_unauthenticated: Exposed = False,
) -> None:
    """Start the gRPC server alone."""
    with _read_settings():
        settings = _server_settings(comfyui, a1111, demo, grpc, data_dir, allow_unauthenticated)

    async def start(stack: AsyncExitStack) -> None:
        from imagegen_server.app import serve

        _check_port(settings.grpc, "--grpc")
        running = await stack.enter_async_context(serve(settings))
        give(f"imagegen listens for gRPC on {running.address}")
        await _watch_over(stack, running.address)

    _run(start, settings)


def gateway(context: typer.Context, http: Http = None, allow_unauthenticated: Exposed = False) -> None:
    """Start the HTTP gateway alone, in front of the server that --server names."""
    session: Session = context.obj
    with _read_settings():
        settings = _gateway_settings(http, session.given_server, allow_unauthenticated)

    async def start(stack: AsyncExitStack) -> None:
        from imagegen_gateway.app import serve_gateway

        _check_http_ports(settings)
        page = await stack.enter_async_context(serve_gateway(settings))
        give(f"imagegen is at {page.url}, in front of {settings.server}")

    _run(start, None)


def _server_settings(
    comfyui: list[str] | None,
    a1111: list[str] | None,
    demo: bool | None,
    grpc: str | None,
    data_dir: Path | None,
    allow_unauthenticated: bool,
) -> "ServerSettings":
    from imagegen_server.config import BackendSettings, ServerSettings

    given = _given(grpc=grpc, data_dir=data_dir, allow_unauthenticated=allow_unauthenticated or None)
    urls = [("comfyui", url) for url in comfyui or ()] + [("a1111", url) for url in a1111 or ()]
    painter = (BackendSettings(kind="demo"),) if demo else ()
    if urls:
        return ServerSettings(
            **given, backends=(*(BackendSettings(kind=kind, url=url) for kind, url in urls), *painter)
        )
    settings = ServerSettings(**given)
    others = tuple(backend for backend in settings.backends if backend.kind != "demo")
    if demo is None or (demo and len(others) < len(settings.backends)):
        return settings
    if not demo and not others:
        raise typer.BadParameter("leaves no backend: name one by --comfyui or --a1111", param_hint="--no-demo")
    return ServerSettings(**given, backends=(*others, *painter))


def _gateway_settings(http: str | None, server: str | None, allow_unauthenticated: bool) -> "GatewaySettings":
    from imagegen_gateway.config import GatewaySettings

    return GatewaySettings(**_given(http=http, server=server, allow_unauthenticated=allow_unauthenticated or None))


def _given(**options: Any) -> dict[str, Any]:
    """What was said on the command line: all else is for the environment and `imagegen.toml` to say."""
    return {name: value for name, value in options.items() if value is not None}


@contextmanager
def _read_settings() -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        _fail(InvalidRequest(setting_problem(error)))
    except (SettingsError, tomllib.TOMLDecodeError) as error:
        _fail(InvalidRequest(f"the settings cannot be read: {error}"))


def _run(start: Start, settings: "ServerSettings | None") -> NoReturn:
    from imagegen_server.errors import CannotStart
    from imagegen_server.logs import configure_logs

    if settings is None:
        configure_logs()
    else:
        configure_logs(settings.log_level, settings.log_format)
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_until_stopped(start))
    except (CannotStart, OSError) as error:
        _fail(NotPossible(str(error)))
    except ImagegenError as error:
        _fail(error)
    except KeyboardInterrupt:
        raise typer.Exit(Exit.CANCELLED) from None
    raise typer.Exit(Exit.SUCCESS)


async def _until_stopped(start: Start) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)

    def on_signal() -> None:
        stop.set()
        for each in signals:  # the second one ends the process, however long the clean end takes
            loop.remove_signal_handler(each)

    with suppress(NotImplementedError):  # Windows
        for each in signals:
            loop.add_signal_handler(each, on_signal)
    async with AsyncExitStack() as stack:
        await start(stack)
        await stop.wait()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    if sys.platform == "win32":
        return asyncio.new_event_loop
    import uvloop

    return uvloop.new_event_loop


def _check_http_ports(settings: "GatewaySettings") -> None:
    _check_port(settings.http, "--http")
    for name in ("a1111_http", "comfyui_http"):
        if address := getattr(settings, name):
            _check_port(address, f"IMAGEGEN_{name.upper()}")


def _check_port(address: str, option: str) -> None:
    """Says in clear words what the libraries say in theirs. Raises NotPossible."""
    host, _, port = address.rpartition(":")
    if port == "0":
        return
    family, kind, protocol, _, where = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as exc:
            if exc.errno != errno.EADDRINUSE:
                raise NotPossible(f"cannot listen on {address}: {exc.strerror}") from exc
            raise NotPossible(
                f"{address} is taken: another program, perhaps another imagegen, listens there; "
                f"stop it, or choose another address with {option}"
            ) from exc


def _own_name() -> str:
    """The command as it can be typed here: a virtual environment need not be on the path."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "imagegen" and shutil.which("imagegen") is None else "imagegen"


def _invite(page_url: str, address: str) -> None:
    server = "" if address == DEFAULT_SERVER else f"--server {address} "
    give(f"imagegen is ready: {page_url}")
    give(f'try:  {_own_name()} {server}generate "a lighthouse at dusk" -o lighthouse.png')
    body = '{"spec": {"image": {"prompt": "a lighthouse at dusk"}}}'
    give(f"or:   curl {page_url.rstrip('/')}/api/v1/jobs -H 'Content-Type: application/json' -d '{body}'")


async def _watch_over(stack: AsyncExitStack, address: str) -> None:
    """Has the backends looked at while the server runs; what it finds is said, and stops nothing.

    It is said on stdout, beside the addresses: stderr belongs to the log.
    """
    task = asyncio.create_task(_say_what_is_away(address))

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


async def _say_what_is_away(address: str) -> None:
    try:
        async with Client(address) as client:
            names = [backend.name for backend in await client.list_backends()]
            for backend in await asyncio.gather(*(client.refresh_backend(name) for name in names)):
                if backend.reason:
                    give(f"backend {backend.name} is not ready: {backend.reason}; it is asked again by itself")
    except ImagegenError as error:
        give(f"the backends could not be looked at: {error.message}")


def _fail(error: ImagegenError) -> NoReturn:
    raise typer.Exit(report(error, as_json=False, server=""))
