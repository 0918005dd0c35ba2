"""`imagegen assets`: the files that the server keeps."""

import re
import sys
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.asset_pb2 import Asset, AssetOrigin
from imagegen_client.client import Client
from imagegen_client.commands.output import STDOUT
from imagegen_client.commands.printing import (
    give,
    give_json,
    give_one,
    give_table,
    local_time,
    message_as_json,
    size_text,
    until_closed,
)
from imagegen_client.commands.session import AsJson, first_of, run

app = typer.Typer(help="List, get, put and delete files on the server.", invoke_without_command=True)

_DIGEST = re.compile(r"[0-9a-f]{64}")


def _digest(text: str) -> str:
    digest = text.strip().lower()
    if not _DIGEST.fullmatch(digest):
        raise typer.BadParameter(f"{text!r} is no digest: 64 hexadecimal digits, as `imagegen assets` shows them")
    return digest


def _digests(texts: list[str]) -> list[str]:
    return [_digest(text) for text in texts]


Digest: TypeAlias = Annotated[
    str, typer.Argument(metavar="DIGEST", help="SHA-256 of the file, as lists show it.", callback=_digest)
]


@app.callback()
def assets(context: typer.Context) -> None:
    """List, get, put and delete the files that the server keeps. Without a command: list."""
    if context.invoked_subcommand is None:
        list_assets(context)


@app.command("list")
def list_assets(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    uploads: Annotated[bool, typer.Option("--uploads", help="Only what was uploaded.")] = False,
    as_json: AsJson = False,
) -> None:
    """List files, newest first."""
    origin = AssetOrigin.ASSET_ORIGIN_UPLOAD if uploads else AssetOrigin.ASSET_ORIGIN_UNSPECIFIED

    async def body(client: Client) -> None:
        found = await first_of(client.list_assets(origin=origin, page_size=min(limit, 500)), limit)
        if as_json:
            for asset in found:
                give_json({"asset": message_as_json(asset)})
        else:
            give_table(["DIGEST", "TYPE", "SIZE", "PIXELS", "CREATED", "JOB"], [_row(asset) for asset in found])

    run(context, body, as_json=as_json)


def _row(asset: Asset) -> list[str]:
    pixels = f"{asset.width}x{asset.height}" if asset.width else ""
    size, created = size_text(asset.size_bytes), local_time(asset.create_time)
    return [asset.digest, asset.media_type, size, pixels, created, asset.job_id[:8]]


@app.command()
def get(
    context: typer.Context,
    digest: Digest,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write. Default: stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Download a file, checked against its digest."""
    if output == STDOUT:
        output = None
    if output is None and sys.stdout.isatty():
        raise typer.BadParameter("bytes are not for a terminal: say where to write them", param_hint="-o")

    async def body(client: Client) -> None:
        if output is None:
            content = await client.download(digest)
            with until_closed(sys.stdout):
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
        else:
            await client.download_to(digest, output, overwrite=force)
            give(str(output))

    run(context, body)


@app.command()
def put(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, metavar="FILE...")],
    as_json: AsJson = False,
) -> None:
    """Upload files and print their digests."""

    async def body(client: Client) -> None:
        for file in files:
            asset = await client.upload(file)
            give_one("asset", asset, asset.digest, as_json=as_json)

    run(context, body, as_json=as_json)


@app.command()
def delete(
    context: typer.Context,
    digests: Annotated[list[str], typer.Argument(metavar="DIGEST...", callback=_digests)],
    as_json: AsJson = False,
) -> None:
    """Delete files."""

    async def body(client: Client) -> None:
        for digest in digests:
            await client.delete_asset(digest)
            if as_json:
                give_json({"deleted": {"digest": digest}})
            else:
                give(f"{digest} deleted")

    run(context, body, as_json=as_json)
