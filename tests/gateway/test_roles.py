"""Who may do what, and that nobody is locked out. Pure."""

from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

import imagegen_gateway
from imagegen.v1 import image_gen_pb2, queue_pb2, settings_pb2
from imagegen_gateway.descriptors import load_package
from imagegen_gateway.keys import Key, Role, find_key, has_admin, why_not_delete, why_not_make
from imagegen_gateway.roles import NEEDED, is_allowed, needed_role

ROLES = st.sampled_from(Role)


def test_every_rpc_of_the_contract_needs_a_role() -> None:
    rpcs = [method.name for service in load_package().services for method in service.methods]
    assert sorted(rpcs) == sorted(NEEDED)


def test_admins_alone_change_what_is_everybodys() -> None:
    assert {rpc for rpc, role in NEEDED.items() if role is Role.ADMIN} == {
        "PauseQueue",
        "ResumeQueue",
        "CreateBackend",
        "DeleteBackend",
        "DrainBackend",
        "UndrainBackend",
        "LoadModel",
        "UnloadModels",
        "UpdateSettings",
        "ListKeys",
        "CreateKey",
        "DeleteKey",
        "WatchKeys",
    }


def test_what_is_for_admins_is_called_where_roles_are_checked() -> None:
    """By the derived routes, that is: no handler that was written by hand asks for a role."""
    folder = Path(imagegen_gateway.__file__).parent
    texts = {path.relative_to(folder): path.read_text() for path in folder.rglob("*.py")}
    for_admins = [rpc for rpc, role in NEEDED.items() if role is Role.ADMIN]
    calls = {(str(path), rpc) for path, text in texts.items() for rpc in for_admins if f".{rpc}(" in text}
    assert calls == {("keyring.py", "WatchKeys")}


@given(st.sampled_from(sorted(NEEDED)), st.text())
def test_an_admin_may_do_everything_and_a_user_what_needs_no_more(rpc: str, owner: str) -> None:
    needed = needed_role(rpc, settings_pb2.GetSettingsRequest(), owner)
    assert is_allowed(Role.ADMIN, needed)
    assert is_allowed(Role.USER, needed) == (NEEDED[rpc] is Role.USER)


@pytest.mark.parametrize(
    ("rpc", "request_", "owner", "needed"),
    [
        ("PauseQueue", queue_pb2.PauseQueueRequest(owner="anna"), "anna", Role.USER),
        ("ResumeQueue", queue_pb2.ResumeQueueRequest(owner="anna"), "anna", Role.USER),
        ("PauseQueue", queue_pb2.PauseQueueRequest(owner="bob"), "anna", Role.ADMIN),
        ("PauseQueue", queue_pb2.PauseQueueRequest(), "anna", Role.ADMIN),
        ("PauseQueue", queue_pb2.PauseQueueRequest(), "", Role.ADMIN),
        ("CancelJob", image_gen_pb2.CancelJobRequest(job_id="of somebody else"), "anna", Role.USER),
    ],
)
def test_ones_own_queue_is_ones_own(rpc: str, request_: Message, owner: str, needed: Role) -> None:
    assert needed_role(rpc, request_, owner) is needed


def key(name: str, role: Role) -> Key:
    return Key(name=name, role=role, sha256=name.encode())


@given(
    configured=st.lists(ROLES, max_size=2),
    changes=st.lists(st.tuples(st.booleans(), st.integers(0, 3), ROLES), max_size=12),
    is_loopback=st.booleans(),
)
def test_no_change_that_is_let_through_locks_out_or_opens_up(
    configured: list[Role], changes: list[tuple[bool, int, Role]], is_loopback: bool
) -> None:
    """Where there are keys there is an admin's, but for a configuration that wants none; beyond loopback keys stay."""
    fixed = [key(f"configured-{number}", role) for number, role in enumerate(configured)]
    stored: dict[str, Key] = {}
    for is_made, number, role in changes:
        name = f"stored-{number}"
        before = [*fixed, *stored.values()]
        if is_made and not why_not_make(before, role):
            stored.setdefault(name, key(name, role))
        elif not is_made and not why_not_delete(fixed, list(stored.values()), name, is_loopback=is_loopback):
            stored.pop(name, None)
        after = [*fixed, *stored.values()]
        assert has_admin(after) or not has_admin(before) or (not after and is_loopback)
        assert has_admin(after) or after == fixed


def test_an_open_house_can_be_closed_and_opened_again() -> None:
    admin, user = key("a", Role.ADMIN), key("u", Role.USER)
    assert "role admin" in why_not_make([], Role.USER)
    assert why_not_make([], Role.ADMIN) == ""
    assert why_not_make([admin], Role.USER) == ""
    assert "last key with the role admin" in why_not_delete([], [admin, user], "a", is_loopback=True)
    assert why_not_delete([], [admin, user], "u", is_loopback=True) == ""
    assert why_not_delete([], [admin], "a", is_loopback=True) == ""
    assert "imagegen keys delete" in why_not_delete([], [admin], "a", is_loopback=False)
    assert why_not_delete([admin], [user], "u", is_loopback=False) == ""
    # The server says that there is none.
    assert why_not_delete([], [admin], "nobody", is_loopback=False) == ""
    assert why_not_delete([admin], [], "a", is_loopback=False) == ""


def test_an_owner_of_spaces_is_nobody_who_could_pause_the_queue_of_all() -> None:
    assert Key(name="a", owner="  ", sha256=b"").default_owner == "a"


def test_a_key_that_was_told_wrongly_lets_nobody_in() -> None:
    assert find_key([Key(name="a", sha256=b"")], "") is None
