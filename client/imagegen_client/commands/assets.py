"""`imagegen assets`: the files that the server keeps."""

import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from imagegen.v1.asset_pb2 import Asset, AssetOrigin, MetadataPolicy
from imagegen.v1.image_gen_pb2 import GetGenerationMetadataResponse
from imagegen_client.client import Client
from imagegen_client.commands.output import STDOUT
from imagegen_client.commands.printing import (
    give,
    give_json,
    give_one,
    give_table,
    local_time,
    message_as_json,
    say,
    size_text,
    until_closed,
)
from imagegen_client.commands.session import AsJson, first_of, run

app = typer.Typer(help="List, get, put, describe, mark and delete files on the server.", invoke_without_command=True)

_PROMPT_WIDTH = 40


class Metadata(StrEnum):
    """What becomes of a picture's generation metadata: MetadataPolicy without its prefix."""

    KEEP = "keep"
    STRIP = "strip"
    A1111 = "a1111"

    @property
    def policy(self) -> MetadataPolicy.ValueType:
        """As requests say it."""
        return MetadataPolicy.Value(f"METADATA_POLICY_{self.name}")


_DIGEST = re.compile(r"[0-9a-f]{64}")


def _digest(text: str) -> str:
    digest = text.strip().lower()
    if not _DIGEST.fullmatch(digest):
        raise typer.BadParameter(f"{text!r} is no digest: 64 hexadecimal digits, as `imagegen assets` shows them")
    return digest


def _digests(texts: list[str]) -> list[str]:
    return [_digest(text) for text in texts]


Digests: TypeAlias = Annotated[list[str], typer.Argument(metavar="DIGEST...", callback=_digests)]
Digest: TypeAlias = Annotated[
    str, typer.Argument(metavar="DIGEST", help="SHA-256 of the file, as lists show it.", callback=_digest)
]


@app.callback()
def assets(context: typer.Context) -> None:
    """List, get, put, mark and delete the files that the server keeps. Without a command: list."""
    if context.invoked_subcommand is None:
        list_assets(context)


@app.command("list")
def list_assets(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    uploads: Annotated[bool, typer.Option("--uploads", help="Only what was uploaded.")] = False,
    text: Annotated[str, typer.Option(metavar="WORDS", help="Only pictures whose prompt has these words.")] = "",
    model: Annotated[str, typer.Option(metavar="NAME", help="Only what this model made.")] = "",
    workflow: Annotated[str, typer.Option("-w", "--workflow", metavar="ID", help="Only what this workflow made.")] = "",
    owner: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only what was made for this owner.", show_default=False)
    ] = None,
    favorites: Annotated[bool, typer.Option("--favorites", help="Only favorites.")] = False,
    deleted: Annotated[bool, typer.Option("--deleted", help="Deleted files that can be brought back.")] = False,
    as_json: AsJson = False,
) -> None:
    """List files, newest first."""
    origin = AssetOrigin.ASSET_ORIGIN_UPLOAD if uploads else AssetOrigin.ASSET_ORIGIN_UNSPECIFIED

    async def body(client: Client) -> None:
        listing = client.list_assets(
            origin=origin,
            text=text,
            model=model,
            workflow_id=workflow,
            owner=owner,
            favorites=favorites,
            deleted=deleted,
            page_size=min(limit, 500),
        )
        found = await first_of(listing, limit)
        if as_json:
            for asset in found:
                give_json({"asset": message_as_json(asset)})
        else:
            headings = ["DIGEST", "", "TYPE", "SIZE", "PIXELS", "CREATED", "JOB", "PROMPT"]
            give_table(headings, [_row(asset) for asset in found], optional={"", "PROMPT"})

    run(context, body, as_json=as_json)


def _row(asset: Asset) -> list[str]:
    pixels = f"{asset.width}x{asset.height}" if asset.width else ""
    size, created = size_text(asset.size_bytes), local_time(asset.create_time)
    prompt = " ".join(asset.source.prompt.split())
    shown = prompt if len(prompt) <= _PROMPT_WIDTH else prompt[: _PROMPT_WIDTH - 1] + "…"
    star = "*" if asset.favorite else ""
    return [asset.digest, star, asset.media_type, size, pixels, created, asset.job_id[:8], shown]


@app.command()
def get(
    context: typer.Context,
    digest: Digest,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="File to write. Default: stdout.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    metadata: Annotated[
        Metadata,
        typer.Option(
            help="What a picture says about how it was made: keep it, strip it, or have it as A1111's text instead."
        ),
    ] = Metadata.KEEP,
) -> None:
    """Download a file; as it is stored, it is checked against its digest."""
    if output == STDOUT:
        output = None
    if output is None and sys.stdout.isatty():
        raise typer.BadParameter("bytes are not for a terminal: say where to write them", param_hint="-o")

    async def body(client: Client) -> None:
        if output is None:
            content = await client.download(digest, metadata=metadata.policy)
            with until_closed(sys.stdout):
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
        else:
            await client.download_to(digest, output, overwrite=force, metadata=metadata.policy)
            give(str(output))

    run(context, body)


@app.command()
def metadata(context: typer.Context, digest: Digest, as_json: AsJson = False) -> None:
    """Tell how a picture was made: by the job that made it, or else by what its file says."""

    async def body(client: Client) -> None:
        told = await client.generation_metadata(digest)
        if as_json:
            give_json({"metadata": message_as_json(told)})
            return
        for line in _story(told):
            give(line)
        for note in told.notes:
            say(f"note: {note}")

    run(context, body, as_json=as_json)


def _story(told: GetGenerationMetadataResponse) -> list[str]:
    lines = []
    if told.job_id:
        lines.append(f"job: {told.job_id}")
    if told.spec.HasField("workflow"):
        lines.append(f"workflow: {told.spec.workflow.workflow_id}, revision {told.spec.workflow.revision}")
    for kind, graph in (("API", told.graph_json or told.spec.graph.json), ("UI", told.ui_json)):
        if graph:
            lines.append(f"graph in {kind} format: {size_text(len(graph))} (--json gives it)")
    if told.parameters:
        lines.append(told.parameters)
    return lines or ["nothing is known about how it was made"]


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
def favorite(context: typer.Context, digests: Digests, as_json: AsJson = False) -> None:
    """Make files favorites, which are kept whatever the settings say about age and room."""
    _mark(context, digests, is_favorite=True, as_json=as_json)


@app.command()
def unfavorite(context: typer.Context, digests: Digests, as_json: AsJson = False) -> None:
    """Make files favorites no longer."""
    _mark(context, digests, is_favorite=False, as_json=as_json)


def _mark(context: typer.Context, digests: list[str], *, is_favorite: bool, as_json: bool) -> None:
    said = "is a favorite" if is_favorite else "is no favorite"

    async def body(client: Client) -> None:
        for digest in digests:
            asset = await client.mark_asset(digest, favorite=is_favorite)
            give_one("asset", asset, f"{digest} {said}", as_json=as_json)

    run(context, body, as_json=as_json)


@app.command()
def delete(
    context: typer.Context,
    digests: Digests,
    permanently: Annotated[
        bool, typer.Option("--permanently", help="For good and at once, also what is deleted already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Delete files; for a while, a day unless the server is told otherwise, they can be brought back."""

    async def body(client: Client) -> None:
        for digest in digests:
            asset = await client.delete_asset(digest, permanently=permanently)
            if as_json:
                give_json({"deleted": message_as_json(asset) if asset is not None else {"digest": digest}})
            else:
                lasting = "for good" if asset is None else f"for good at {local_time(asset.purge_time)}"
                give(f"{digest} deleted, {lasting}")

    run(context, body, as_json=as_json)


@app.command()
def undelete(context: typer.Context, digests: Digests, as_json: AsJson = False) -> None:
    """Bring deleted files back."""

    async def body(client: Client) -> None:
        for digest in digests:
            asset = await client.undelete_asset(digest)
            give_one("asset", asset, f"{digest} is back", as_json=as_json)

    run(context, body, as_json=as_json)
