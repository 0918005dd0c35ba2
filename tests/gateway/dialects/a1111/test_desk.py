"""What is remembered of clients is bounded, and requests of others are not touched by it."""

import pytest

from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.a1111.desk import MAX_CLIENTS, MAX_ENDED, Client, Desk, Work, task_key
from imagegen_gateway.dialects.a1111.options import Choice
from imagegen_gateway.dialects.a1111.progress import global_progress


def caller(number: int) -> Caller:
    return Caller(owner=f"owner-{number}")


def test_the_client_that_was_away_longest_is_forgotten_unless_it_waits_for_something() -> None:
    desk = Desk()
    busy = desk.client(caller(0))
    desk.client(caller(1)).choice = Choice("tiny")
    desk.client(caller(2)).choice = Choice("tiny")
    with busy.working(Work("scripts_txt2img", 1)):
        for number in range(3, MAX_CLIENTS + 1):
            desk.client(caller(number))
        assert desk.client(caller(0)) is busy
        assert desk.client(caller(2)).choice == Choice("tiny")
        assert desk.client(caller(1)).choice == Choice()


def test_ended_tasks_are_remembered_for_a_while() -> None:
    client = Client()
    for number in range(MAX_ENDED + 1):
        with client.working(Work("scripts_txt2img", 1, f"task({number})")):
            assert client.task(f"task({number})") is not None
    assert client.has_completed("task(0)") is None
    assert client.has_completed("task(1)") is True


def test_a_task_that_failed_is_not_completed() -> None:
    client = Client()
    with pytest.raises(ConnectionResetError), client.working(Work("scripts_txt2img", 1, "task(1)")):
        raise ConnectionResetError
    assert client.has_completed("task(1)") is False
    assert global_progress(client.shown(), client.last, now_s=0.0, with_preview=True)["state"]["job_count"] == 0


def test_ids_of_two_clients_are_two_tasks() -> None:
    keys = {task_key(Caller(owner=owner, peer=peer), "1") for owner in ("a", "b") for peer in ("x", "y")}
    assert len(keys) == 4
