"""How long a run waits."""

import asyncio

import pytest

from imagegen_adapters.comfyui.patience import CancelWish
from imagegen_adapters.errors import Cancelled


async def test_wishing_twice_while_the_first_wish_takes_effect() -> None:
    """What is broken off may need a while to end."""
    wish = CancelWish(1.0)
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        async with wish.breaks_off():
            try:
                await asyncio.Event().wait()
            finally:
                ending.set()
                await may_end.wait()

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    wish.make()
    await ending.wait()
    wish.make()
    may_end.set()
    with pytest.raises(Cancelled):
        await working
