"""KeyService: keys are kept by what they are known by, and whoever watches hears of every change."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

import grpc
import pytest

from imagegen.v1 import key_pb2 as pb
from imagegen.v1.key_pb2_grpc import KeyServiceStub
from imagegen_server.changes import Changes
from imagegen_server.errors import Refused
from imagegen_server.keys import MAX_KEYS, open_keys
from imagegen_server.stores.store import open_store
from tests.server.material import PickleCodec
from tests.server.scripted import ScriptedAdapter
from tests.server.serving import Caller, calling, refusal_of, serving, started


@pytest.fixture(name="caller")
async def caller_fixture(tmp_path: Path) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"a": ScriptedAdapter()}) as caller:
        yield caller


async def make(caller: Caller, name: str, **fields: object) -> pb.CreateKeyResponse:
    key = pb.Key(name=name, **fields)  # type: ignore[arg-type]  # whichever a test wants
    return await KeyServiceStub(caller.channel).CreateKey(pb.CreateKeyRequest(key=key))


async def delete(caller: Caller, name: str) -> None:
    await KeyServiceStub(caller.channel).DeleteKey(pb.DeleteKeyRequest(name=name))


async def names(caller: Caller) -> list[str]:
    listed = await KeyServiceStub(caller.channel).ListKeys(pb.ListKeysRequest())
    return [key.name for key in listed.keys]


async def test_keys_are_made_listed_and_deleted(caller: Caller) -> None:
    made = await make(caller, "chat", owner=" everybody ", acts_for_users=True)
    admin = await make(caller, "anna@example.org", role=pb.KEY_ROLE_ADMIN)
    assert (made.key.owner, made.key.role, made.key.acts_for_users) == ("everybody", pb.KEY_ROLE_USER, True)
    assert (admin.key.owner, admin.key.role, admin.key.acts_for_users) == ("", pb.KEY_ROLE_ADMIN, False)
    assert made.key.HasField("create_time")
    assert len({made.secret, admin.secret}) == 2
    assert [len(made.secret), len(admin.secret)] == [43, 43]
    assert await names(caller) == ["anna@example.org", "chat"]
    await delete(caller, "chat")
    assert await names(caller) == ["anna@example.org"]


async def test_a_name_is_given_once_and_deleted_once(caller: Caller) -> None:
    await make(caller, "anna")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await make(caller, "anna")
    assert refusal_of(caught.value).reason == "KEY_EXISTS"
    await delete(caller, "anna")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await delete(caller, "anna")
    assert refusal_of(caught.value).reason == "KEY_NOT_FOUND"


@pytest.mark.parametrize("name", ["", "Anna", "anna smith", "x" * 65, "../anna", "..", "änna"])
async def test_other_names_are_refused_in_words(caller: Caller, name: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await make(caller, name)
    said = "must be 1 to 64 lower-case letters, digits and ._@-, the first a letter or digit"
    assert refusal_of(caught.value).fields == {"key.name": said}


async def test_only_so_many_are_kept(database: str) -> None:
    async with open_store(database, PickleCodec()) as store, open_keys(store, Changes(), clock=lambda: 0.0) as keys:
        first, _ = await keys.add("0", owner="", is_admin=True, acts_for_users=False)
        await asyncio.gather(*(store.add_key(replace(first, name=str(number))) for number in range(1, MAX_KEYS)))
        with pytest.raises(Refused) as caught:
            await keys.add("anna", owner="", is_admin=False, acts_for_users=False)
        assert caught.value.reason == "QUOTA_EXCEEDED"


async def test_a_change_is_told_though_its_caller_has_gone(database: str) -> None:
    changes = Changes()
    async with (
        open_store(database, PickleCodec()) as store,
        open_keys(store, changes, clock=lambda: 0.0) as keys,
        asyncio.timeout(10),
    ):
        await keys.add("anna", owner="", is_admin=True, acts_for_users=False)
        async with aclosing(keys.watch()) as told:
            assert len(await anext(told)) == 1
            caller = asyncio.ensure_future(keys.delete("anna"))
            await asyncio.sleep(0)
            caller.cancel()
            assert await anext(told) == []
        assert caller.cancelled()


async def test_watchers_hear_of_every_change_and_of_the_end(tmp_path: Path) -> None:
    async with asyncio.timeout(10), AsyncExitStack() as outlives:
        async with started(tmp_path, {"a": ScriptedAdapter()}) as server:
            caller = await outlives.enter_async_context(calling(server.address))
            told = aiter(KeyServiceStub(caller.channel).WatchKeys(pb.WatchKeysRequest()))
            assert list((await anext(told)).keys) == []
            made = await make(caller, "anna", owner="a", role=pb.KEY_ROLE_ADMIN)
            (watched,) = (await anext(told)).keys
            assert watched == pb.WatchedKey(key=made.key, sha256=hashlib.sha256(made.secret.encode()).digest())
            await delete(caller, "anna")
            assert list((await anext(told)).keys) == []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await anext(told)
        assert refusal_of(caught.value).reason == "SHUTTING_DOWN"


async def test_keys_outlive_the_server_and_their_secrets_are_nowhere(tmp_path: Path) -> None:
    async with serving(tmp_path, {"a": ScriptedAdapter()}) as caller:
        secret = (await make(caller, "anna")).secret
    database = await asyncio.to_thread((tmp_path / "imagegen.db").read_bytes)
    assert b"anna" in database
    assert secret.encode() not in database
    async with serving(tmp_path, {"a": ScriptedAdapter()}) as caller:
        assert await names(caller) == ["anna"]
