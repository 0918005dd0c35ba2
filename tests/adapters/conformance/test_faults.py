"""Whatever the backend does to us ends as declared: in success or in a clear error, never in a hang."""

import asyncio

import pytest

from imagegen_adapters.contract import Accepted, Adapter, Progressed, Update
from imagegen_adapters.errors import AdapterError, Unreachable
from tests.adapters.conformance.observing import (
    Observed,
    images_of,
    is_moving,
    observed,
    performed,
    task_of,
    until_moving,
)
from tests.adapters.conformance.subject import Ending, Fault, Moment, Subject

WITH_VARIANTS = ("test_a_fault_ends_as_declared",)
LASTING = frozenset({Fault.REFUSED, Fault.SILENCE, Fault.DEATH, Fault.SLOWNESS, Fault.GARBAGE})
"""After these nothing is promised about the next run."""
FATAL = frozenset({Fault.DEATH, Fault.RESTART})
"""These end the backend's process."""


def _ending(subject: Subject, fault: Fault) -> Ending:
    if subject.is_live:
        pytest.skip("faults can be injected into fakes only")
    if fault not in subject.faults:
        pytest.skip("cannot happen to this kind of backend")
    return subject.faults[fault]


@pytest.mark.parametrize("fault", Fault, ids=[fault.value for fault in Fault])
async def test_a_fault_ends_as_declared(subject: Subject, fault: Fault) -> None:
    ending = _ending(subject, fault)
    if fault.moment is Moment.BEFORE_OPEN:
        await subject.inject(fault)
    async with subject.open_adapter() as adapter:
        seen = await _with_fault(subject, adapter, fault)
        _check(seen, ending)
        if fault in FATAL:
            assert seen.error is not None
            assert seen.error.backend_died
        if fault not in LASTING:
            assert len(await images_of(adapter, subject.quick(), subject.patience_s)) == 1


async def _with_fault(subject: Subject, adapter: Adapter, fault: Fault) -> Observed:
    if fault.moment is Moment.BEFORE_OPEN:
        return await performed(adapter, subject.paced(), subject.patience_s)
    await adapter.catalog()
    if fault.moment is Moment.BEFORE_RUN:
        await subject.inject(fault)
        return await performed(adapter, subject.paced(), subject.patience_s)
    return await _hit_on_its_way(subject, adapter, fault)


async def _hit_on_its_way(subject: Subject, adapter: Adapter, fault: Fault) -> Observed:
    is_injected = False

    async def inject(update: Update) -> None:
        nonlocal is_injected
        if is_moving(update) and not is_injected:
            is_injected = True
            await subject.inject(fault)

    async with asyncio.timeout(subject.patience_s), adapter.run(task_of(subject.paced())) as run:
        seen = await observed(run, inject)
    assert is_injected
    return seen


def _check(seen: Observed, ending: Ending) -> None:
    if seen.error is None:
        assert ending.is_success_allowed
        assert [image.image_index for image in seen.images] == [0]
    else:
        assert type(seen.error) in ending.errors, repr(seen.error)
        assert str(seen.error)
        assert "Traceback" not in str(seen.error)
    assert len(seen.of(Accepted)) <= 1
    fractions = [update.fraction for update in seen.of(Progressed)]
    assert fractions == sorted(fractions)


async def test_a_backend_that_refuses_is_unreachable(subject: Subject) -> None:
    """Opening never fails because the backend is away; asking does, in time."""
    _ending(subject, Fault.REFUSED)
    await subject.inject(Fault.REFUSED)
    async with subject.open_adapter() as adapter:
        for question in (adapter.status, adapter.catalog):
            with pytest.raises(AdapterError) as raised:
                await asyncio.wait_for(question(), 10)
            assert type(raised.value) is Unreachable


@pytest.mark.parametrize(
    "fault", [Fault.SILENCE, Fault.SLOWNESS, Fault.DROPPED_SOCKET], ids=lambda fault: str(fault.value)
)
async def test_leaving_during_a_fault_does_not_hang(subject: Subject, fault: Fault) -> None:
    _ending(subject, fault)
    async with asyncio.timeout(subject.patience_s * 2), subject.open_adapter() as adapter:
        if fault.moment is Moment.BEFORE_RUN:
            await adapter.catalog()
            await subject.inject(fault)
        async with adapter.run(task_of(subject.paced())) as run:
            await until_moving(run, subject.patience_s)
            if fault.moment is Moment.DURING_RUN:
                await subject.inject(fault)
