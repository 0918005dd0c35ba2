"""`imagegen keys`: who may use the gateway."""

from typing import Annotated, TypeAlias

import typer

from imagegen.v1.key_pb2 import Key, KeyRole
from imagegen_client.client import Client
from imagegen_client.commands.printing import give, give_json, give_table, local_time, message_as_json, say
from imagegen_client.commands.session import AsJson, is_alone, run

app = typer.Typer(invoke_without_command=True)

Name: TypeAlias = Annotated[str, typer.Argument(metavar="NAME", help="What lists and logs call it.")]


@app.callback()
def keys(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys that were made here; make and delete them. Those of imagegen.toml are not among them."""
    if is_alone(context):
        _list(context, as_json=as_json)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the keys that were made here, without their secrets."""
    _list(context, as_json=as_json)


def _list(context: typer.Context, *, as_json: bool) -> None:
    async def body(client: Client) -> None:
        listed = await client.list_keys()
        if as_json:
            for key in listed:
                give_json({"key": message_as_json(key)})
        else:
            headings = ["NAME", "ROLE", "OWNER", "MADE", "ACTS FOR"]
            give_table(headings, [_row(key) for key in listed], optional={"ACTS FOR"})

    run(context, body, as_json=as_json)


def _row(key: Key) -> list[str]:
    role = "admin" if key.role == KeyRole.KEY_ROLE_ADMIN else "user"
    return [key.name, role, key.owner or key.name, local_time(key.create_time), "users" if key.acts_for_users else ""]


@app.command()
def create(
    context: typer.Context,
    name: Name,
    is_admin: Annotated[
        bool, typer.Option("--admin", help="May also change settings, backends and keys, and pause the queue.")
    ] = False,
    owner: Annotated[str, typer.Option(metavar="NAME", help="Whose jobs are made with it. Default: its name.")] = "",
    acts_for_users: Annotated[
        bool, typer.Option("--acts-for-users", help="Its holder may say for whom it asks, as Open WebUI does.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key, and print its secret: this once."""

    async def body(client: Client) -> None:
        role = KeyRole.KEY_ROLE_ADMIN if is_admin else KeyRole.KEY_ROLE_USER
        made = await client.create_key(name, role=role, owner=owner, acts_for_users=acts_for_users)
        if as_json:
            give_json({"key": message_as_json(made.key), "secret": made.secret})
            return
        say(f"the secret of {made.key.name}, which is not shown again:")
        give(made.secret)

    run(context, body, as_json=as_json)


@app.command()
def delete(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Delete a key: from now on nobody gets in with it."""

    async def body(client: Client) -> None:
        await client.delete_key(name)
        if as_json:
            give_json({"deleted": {"name": name}})
        else:
            give(f"{name} deleted")

    run(context, body, as_json=as_json)
