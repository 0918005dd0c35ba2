"""Install, uninstall and status: reads, decides, writes down what will be changed, changes it, and says so.

The record is written before each request, so that whatever happens in between can be undone, and a second run goes on
where the first one ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from imagegen_client.errors import ImagegenError, NotAllowed, Unavailable
from imagegen_client.openwebui.choices import Choices, Engine, desired
from imagegen_client.openwebui.connection import KeyRefused, OpenWebUI
from imagegen_client.openwebui.items import IMAGES, TOOLS, Change, by_section, changes_to, items_of
from imagegen_client.openwebui.record import Record, forget, moved, remember, undoing
from imagegen_client.openwebui.store import read_record, record_path, write_record
from imagegen_client.openwebui.wording import by_hand, described, kept_secrets, listed, name_of, summary

Tell: TypeAlias = Callable[[str], None]


def filter_source() -> str:
    """The function that runs inside Open WebUI."""
    return files("imagegen_client.openwebui").joinpath("live_previews.py").read_text(encoding="utf-8")


async def install(url: str, token: str, choices: Choices, *, is_dry: bool, tell: Tell) -> None:
    """Sets up what was chosen. Raises ImagegenError and OSError; what was done until then was told.

    NotAllowed and Unavailable are also raised, at the end, when all is set up but the gateway does not answer with it.
    """
    async with OpenWebUI.open(url, token) as server:
        path = record_path(url)
        current, record = items_of(await server.read()), read_record(path)
        wanted = desired(choices, current)
        changes = changes_to(current, {**moved(record, current, wanted), **wanted})
        if not changes:
            tell("nothing to change: all of it is set up already")
        if is_dry:
            _tell_all(changes, is_done=False, tell=tell)
            return
        record = await _make(server, changes, path, replace(record, gateway=choices.gateway), tell=tell)
        if choices.images is Engine.COMFYUI:
            record = await _make(server, await _model_for_comfyui(server), path, record, tell=tell)
        if changes:
            _tell_kept(path, kept_secrets(record), tell=tell)
        trouble = await _check(server, choices, tell=tell)
        for note in by_hand(choices, users_told=await server.users_told(), url=url):
            tell(f"by hand: {note}")
        if trouble is not None:
            raise trouble


async def uninstall(url: str, token: str, *, is_dry: bool, tell: Tell) -> None:
    """Puts everything back that is as it was left. Raises as `install` does."""
    path = record_path(url)
    record = read_record(path)
    if not record.items:
        tell(f"nothing to undo: {path} tells of no change that was made here")
        return
    async with OpenWebUI.open(url, token) as server:
        changes, theirs = undoing(record, items_of(await server.read()))
        if is_dry:
            _tell_all(changes, is_done=False, tell=tell)
        else:
            for section, own in by_section(changes):
                await server.write(section, own)
                record = forget(record, [change.item for change in own])
                write_record(path, record)
                _tell_all(own, is_done=True, tell=tell)
            write_record(path, replace(record, items={}))
        for item in theirs:
            tell(f"left {name_of(item)}: somebody has changed it since")


async def status(url: str, token: str, gateway: str | None, *, tell: Tell) -> None:
    """Tells what is set up, for the gateway that was named or was set up last."""
    path = record_path(url)
    record = read_record(path)
    async with OpenWebUI.open(url, token) as server:
        current = items_of(await server.read())
        users_told = await server.users_told()
    address = gateway or record.gateway
    tell(f"gateway: {address}" if address else "gateway: none was set up from here; name one with --gateway")
    for line in summary(address, current):
        tell(line)
    if users_told:
        tell(f"who asks is told to the image engine openai: {users_told}")
    if record.items:
        _, theirs = undoing(record, current)
        tell(f"can be undone: {len(record.items) - len(theirs)} of {len(record.items)} changes ({path})")


async def _make(server: OpenWebUI, changes: Sequence[Change], path: Path, record: Record, *, tell: Tell) -> Record:
    """Makes changes that can be undone; gives the record with them."""
    for section, own in by_section(changes):
        record = remember(record, own)
        write_record(path, record)
        await server.write(section, own)
        _tell_all(own, is_done=True, tell=tell)
    return record


async def _model_for_comfyui(server: OpenWebUI) -> list[Change]:
    """With this engine Open WebUI has to name a model, and tells which there are once it knows where to ask."""
    item = f"{IMAGES}IMAGE_GENERATION_MODEL"
    if items_of(await server.read())[item]:
        return []
    return [Change(item=item, was="", becomes=name) for name in (await server.image_models())[:1]]


def _tell_all(changes: Sequence[Change], *, is_done: bool, tell: Tell) -> None:
    for _, own in by_section(changes):
        for change in own:
            tell(described(change, is_done=is_done))


def _tell_kept(path: Path, secrets: Sequence[str], *, tell: Tell) -> None:
    also = f"; in it, in clear, what was the {listed(secrets)}" if secrets else ""
    tell(f"kept for undoing: {path}{also}")


async def _check(server: OpenWebUI, choices: Choices, *, tell: Tell) -> ImagegenError | None:
    """Has Open WebUI itself try the gateway: only it knows what it can reach. What is wrong is told, and given."""
    try:
        # Whatever was chosen: it is there at every gateway, and of these checks the only one that tells of a wrong key.
        reached = {choices.openai_url: await server.reaches_models(choices.openai_url, choices.key)}
    except KeyRefused:
        wrong = "does not take this key" if choices.key else "wants a key"
        return NotAllowed(
            f"all is set up, but the gateway {wrong}: install once more with the right one as --gateway-key"
        )
    if choices.images in (Engine.AUTOMATIC1111, Engine.COMFYUI):
        is_a1111 = choices.images is Engine.AUTOMATIC1111
        address = f"{choices.gateway}/{'a1111' if is_a1111 else 'comfyui'}"
        key = f"imagegen:{choices.key}" if is_a1111 else choices.key
        reached[address] = await server.reaches_engine(choices.images.value, address, key)
    if choices.tools:
        connection = desired(choices, {})[TOOLS + choices.tools_url]
        reached[choices.tools_url] = await server.reaches_tools(connection)
    unreached = [address for address, is_reached in reached.items() if not is_reached]
    if not unreached:
        return None
    for address in unreached:
        tell(
            f"warning: Open WebUI gets no answer from {address}: is the gateway running, and is this its address as "
            "Open WebUI sees it (in a container, host.docker.internal instead of 127.0.0.1)?"
        )
    return Unavailable("all is set up, but Open WebUI does not reach the gateway yet")
