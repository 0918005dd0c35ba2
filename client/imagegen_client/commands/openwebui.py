"""`imagegen openwebui`: sets up a running Open WebUI for this gateway, and undoes it."""

import asyncio
import re
from collections.abc import Coroutine
from typing import Annotated, NoReturn, TypeAlias

import typer

from imagegen_client.commands.exits import EXIT_OF_ERROR, Exit
from imagegen_client.commands.printing import give, say
from imagegen_client.errors import ImagegenError
from imagegen_client.openwebui.choices import Choices, Engine
from imagegen_client.openwebui.installing import filter_source, install, status, uninstall

app = typer.Typer(help="Set up a running Open WebUI for imagegen, and undo it.", no_args_is_help=True)

DEFAULT_URL = "http://localhost:8080"
DEFAULT_GATEWAY = "http://127.0.0.1:8000"

_URL = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")

Url: TypeAlias = Annotated[str, typer.Option(metavar="URL", help="Where Open WebUI is.")]
Token: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="TOKEN", envvar="OPENWEBUI_TOKEN", help="API key or session token of an administrator of Open WebUI."
    ),
]
Dry: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Only say what would be changed.")]


@app.command("install")
def install_command(
    token: Token,
    url: Url = DEFAULT_URL,
    gateway: Annotated[
        str, typer.Option(metavar="URL", help="The gateway, as Open WebUI reaches it.")
    ] = DEFAULT_GATEWAY,
    gateway_key: Annotated[
        str, typer.Option(metavar="KEY", envvar="IMAGEGEN_KEY", help="Key for the gateway, if it has keys.")
    ] = "",
    chat: Annotated[bool, typer.Option("--chat", help="The models, to chat with.")] = False,
    images: Annotated[
        Engine | None, typer.Option(help="The image button, over this API. Live previews know best with openai.")
    ] = None,
    edits: Annotated[bool, typer.Option("--edits", help="The editing of pictures.")] = False,
    live: Annotated[bool, typer.Option("--filter", help="Live previews for the image button.")] = False,
    tools: Annotated[
        bool, typer.Option("--tools", help="A tool server, for language models to make pictures.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="All of these, the image button over openai.")] = False,
    is_dry: Dry = False,
) -> None:
    """Set up what is chosen; without a choice: --chat --images openai --edits --filter."""
    is_usual = everything or not (chat or images or edits or live or tools)
    choices = Choices(
        gateway=_checked(gateway, "--gateway"),
        key=gateway_key,
        chat=chat or is_usual,
        images=images or (Engine.OPENAI if is_usual else None),
        edits=edits or is_usual,
        filter=filter_source() if live or is_usual else "",
        tools=tools or everything,
    )
    _run(install(_checked(url, "--url"), token, choices, is_dry=is_dry, tell=give))


@app.command("uninstall")
def uninstall_command(token: Token, url: Url = DEFAULT_URL, is_dry: Dry = False) -> None:
    """Put back what was there before; what somebody changed since stays as it is."""
    _run(uninstall(_checked(url, "--url"), token, is_dry=is_dry, tell=give))


@app.command("status")
def status_command(
    token: Token,
    url: Url = DEFAULT_URL,
    gateway: Annotated[
        str, typer.Option(metavar="URL", help="The gateway, as Open WebUI reaches it. Default: the one set up last.")
    ] = "",
) -> None:
    """Show what is set up."""
    _run(status(_checked(url, "--url"), token, _checked(gateway, "--gateway") if gateway else None, tell=give))


def _checked(url: str, option: str) -> str:
    """An address without the slash at its end."""
    if _URL.fullmatch(url) is None:
        example = DEFAULT_GATEWAY if option == "--gateway" else DEFAULT_URL
        raise typer.BadParameter(f"{url!r} is no address like {example}", param_hint=option)
    return url.rstrip("/")


def _run(body: Coroutine[None, None, None]) -> NoReturn:
    try:
        asyncio.run(body)
    except ImagegenError as error:
        say(f"imagegen: {error.message}")
        raise typer.Exit(EXIT_OF_ERROR[type(error)]) from None
    except OSError as error:
        say(f"imagegen: {error}")
        raise typer.Exit(Exit.USAGE) from None
    except KeyboardInterrupt:
        raise typer.Exit(Exit.CANCELLED) from None
    raise typer.Exit(Exit.SUCCESS)
