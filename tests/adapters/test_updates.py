"""The buffer between an adapter and its consumer."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import ImageReady, Phase, PhaseChanged, PreviewFrame, Progressed, Update, Warned
from imagegen_adapters.errors import Lost, OutOfMemory
from imagegen_adapters.updates import UpdateBuffer

EPHEMERAL = (Progressed, PreviewFrame)
PUTS = st.lists(st.sampled_from(["progress", "preview", "phase", "image", "warning", "take"]), max_size=60)


def _update(kind: str, number: int) -> Update:
    match kind:
        case "progress":
            return Progressed(fraction=number / 100, phase=Phase.SAMPLING, step=number)
        case "preview":
            return PreviewFrame(data=b"", media_type="image/jpeg", step=number)
        case "phase":
            return PhaseChanged(phase=Phase.SAMPLING, title=str(number))
        case "image":
            return ImageReady(data=b"", media_type="image/png", image_index=number)
        case _:
            return Warned(code="CODE", message=str(number))


async def _drained(buffer: UpdateBuffer) -> list[Update]:
    return [update async for update in buffer]


@given(PUTS)
def test_lasting_updates_are_all_there_and_ephemeral_ones_are_the_newest(puts: list[str]) -> None:
    asyncio.run(_check(puts))


async def _check(puts: list[str]) -> None:
    buffer, sent, waiting, taken = UpdateBuffer(), list[Update](), list[Update](), list[Update]()
    for number, action in enumerate(puts):
        if action != "take":
            update = _update(action, number)
            buffer.put(update)
            sent.append(update)
            waiting = [u for u in waiting if type(u) is not type(update) or not isinstance(u, EPHEMERAL)] + [update]
        elif waiting:
            taken.append(await anext(buffer))
            waiting.pop(0)
    buffer.close()
    assert await _drained(buffer) == waiting
    taken += waiting
    assert [u for u in taken if not isinstance(u, EPHEMERAL)] == [u for u in sent if not isinstance(u, EPHEMERAL)]
    for kind in EPHEMERAL:
        steps = [u.step for u in taken if isinstance(u, kind)]
        assert steps == sorted(steps)
        assert steps[-1:] == [u.step for u in sent if isinstance(u, kind)][-1:]


async def test_an_untaken_preview_gives_way_and_queues_behind_what_came_meanwhile() -> None:
    buffer = UpdateBuffer()
    for update in (_update("preview", 1), _update("image", 2), _update("preview", 3)):
        buffer.put(update)
    buffer.close()
    assert await _drained(buffer) == [_update("image", 2), _update("preview", 3)]


async def test_an_error_comes_after_what_is_left() -> None:
    buffer = UpdateBuffer()
    buffer.put(_update("image", 0))
    buffer.fail(Lost("gone"))
    assert await anext(buffer) == _update("image", 0)
    with pytest.raises(Lost):
        await anext(buffer)


async def test_the_first_end_counts() -> None:
    buffer = UpdateBuffer()
    buffer.close()
    buffer.fail(OutOfMemory("too late"))
    buffer.put(_update("image", 0))
    assert buffer.is_closed
    assert await _drained(buffer) == []


async def test_a_waiting_consumer_is_woken() -> None:
    buffer = UpdateBuffer()
    consumer = asyncio.create_task(_drained(buffer))
    await asyncio.sleep(0)
    buffer.put(_update("phase", 1))
    await asyncio.sleep(0)
    buffer.close()
    assert await asyncio.wait_for(consumer, 5) == [_update("phase", 1)]
