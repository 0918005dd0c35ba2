"""The process dies with any of its writes: whichever was the last, every job ends once, nothing is made twice,
and of workflows and settings there is what was stored."""

import asyncio
import shutil
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import BackendStatus, ImageParameters
from imagegen_adapters.errors import Unreachable
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Member
from imagegen_server.config import BackendSettings, ServerSettings
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet, open_fleet, open_hosting
from imagegen_server.gallery import AssetSource
from imagegen_server.history import Scope
from imagegen_server.hub import Hub
from imagegen_server.jobs import AssetOrigin, Invocation, Job, JobSpec, JobState
from imagegen_server.ledger import Ledger
from imagegen_server.membership import Membership, restore
from imagegen_server.quotas import Quotas
from imagegen_server.reuse import answered
from imagegen_server.running.experience import open_experience
from imagegen_server.running.orphans import Orphans
from imagegen_server.running.retrying import Limits
from imagegen_server.running.runner import Runner, open_runner
from imagegen_server.running.surroundings import Surroundings
from imagegen_server.scheduling.estimates import Sample
from imagegen_server.scheduling.work import work_of
from imagegen_server.services.reusing import Reuse
from imagegen_server.settings.layers import layer_of
from imagegen_server.settings.runtime import RuntimeSettings, open_settings
from imagegen_server.stores.store import AssetFilter, JobFilter, JobWrite, Store, StoreError, open_store
from imagegen_server.tasks import task_group
from imagegen_server.tokens import TokenCodec
from imagegen_server.wire.events import encode_durable
from imagegen_server.wire.jobs import JobCodec
from imagegen_server.workflows.library import Library
from imagegen_server.workflows.model import Workflow
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter, ScriptedRun, opener, picture
from tests.server.serving import RHYTHM

BACKENDS = ("one", "two")
ADDED = ("three", "four")
"""Of which the first is taken away again."""
WITHOUT_END = 1_000_000
INVOCATION = Invocation(workflow_id="portrait", revision=2, inputs={"prompt": "of a workflow", "model": "first"})


class World:
    """Backends that outlive our processes, and go on whoever listens."""

    def __init__(self) -> None:
        self.is_cut = False
        """Whether there is no process of ours that they could hear."""
        self.was_silent = False
        self.handed_over = Counter[str]()
        self.made = Counter[int]()
        """Seeds of images."""
        capabilities = replace(DEFAULT_CAPABILITIES, reattach=True)
        status = BackendStatus(version="1.0", instance="a", resident_model="first")
        self.backends = {
            name: ScriptedAdapter(capabilities=capabilities, current_status=status) for name in (*BACKENDS, *ADDED)
        }
        for backend in self.backends.values():
            backend.plays = self._player(backend)

    def _player(self, backend: ScriptedAdapter) -> Callable[[ScriptedRun], None]:
        def play(run: ScriptedRun) -> None:
            if self.is_cut:
                return
            source = run.task.source
            assert isinstance(source, ImageParameters)
            self.handed_over[run.task.attempt_id] += 1
            backend.kept[run.task.attempt_id] = going_on(source)
            if "endless" in source.prompt:
                run.accept()
                return
            self.made.update(range(source.seed, source.seed + source.count))
            if "silence" in source.prompt and not self.was_silent:
                self.was_silent = True
                run.accept()
                run.deliver(0)
                run.fail(Unreachable("silent"))
            else:
                run.complete()

        return play


def going_on(source: ImageParameters) -> Callable[[ScriptedRun], None]:
    """What is heard of an attempt that was handed over as this, and is taken up again."""

    def play(run: ScriptedRun) -> None:
        # Who only wants it stopped does not know all of it.
        assert run.task.source in (source, ImageParameters(prompt="", count=source.count))
        if "endless" in source.prompt:
            run.accept()
        else:
            run.complete()

    return play


class DyingStore(Store):
    """Of a process that dies with its last write: that one is on the disk, and nobody hears of it."""

    def __init__(self, store: Store, writes: int, world: World) -> None:
        vars(self).update(vars(store))
        self.died = asyncio.Event()
        self._left = writes
        self._world = world

    def submit(self, write: JobWrite, on_done: Callable[[StoreError | None], None]) -> None:
        if self._may_write():
            super().submit(write, (lambda _: None) if self.died.is_set() else on_done)

    async def _write(self, operation: Any) -> Any:
        result = await super()._write(operation) if self._may_write() else None
        if self.died.is_set():
            raise StoreError("nobody is there any more")
        return result

    def _may_write(self) -> bool:
        if self.died.is_set():
            return False
        self._left -= 1
        if self._left == 0:
            self.died.set()
            self._world.is_cut = True
        return True


@dataclass
class Process:
    store: DyingStore
    ledger: Ledger
    runner: Runner
    orphans: Orphans
    library: Library
    settings: RuntimeSettings
    reuse: Reuse
    assets: AssetStore
    membership: Membership
    fleet: Fleet
    folder: Path
    jobs: dict[str, str] = field(default_factory=dict)
    """Ids by prompt."""

    async def run_jobs(self) -> None:
        await self.runner.control.pause()
        await self._submit("spread", count=2)
        await self.runner.control.resume()
        await self._until(lambda: self._has_begun("spread"))
        await self._submit("silence", count=2, backend="one")
        await self._submit("endless and late", execution_deadline_s=0.01)
        await self._submit("endless and cancelled")
        await self._until(lambda: self._has_begun("endless and cancelled"))
        await self.runner.cancel(self.jobs["endless and cancelled"])
        await self._until(lambda: not self.ledger.unfinished() and not list(self.orphans))

    async def use_workflows(self) -> None:
        await self._keep_a_workflow()
        await self.settings.update({"defaults.steps": 30}, ["defaults.steps"])
        await self.settings.update({"defaults.width": 640}, ["defaults.width", "defaults.height"])
        await self._submit("of a workflow", invocation=INVOCATION)
        await self._until(lambda: not self.ledger.unfinished())
        await self._submit_again("of a workflow")

    async def use_the_gallery(self) -> None:
        """As people do who get no answer: they look, and go on with what is not done."""
        pictures = [picture(shade, (1, 1)) for shade in range(3)]
        marked, deleted, removed = [sha256(data).hexdigest() for data in pictures]
        await self.assets.put(pictures[0], origin=AssetOrigin.OUTPUT, source=AssetSource(prompt="a fox"))
        await self.assets.mark(marked, favorite=True)
        await self.assets.delete(marked)
        await self.assets.undelete(marked)
        for digest, data, delete in (
            (deleted, pictures[1], self.assets.delete),
            (removed, pictures[2], self.assets.remove),
        ):
            await self.assets.put(data, origin=AssetOrigin.UPLOAD)
            await delete(digest)

    async def change_backends(self) -> None:
        for name in ADDED:
            with suppress(Refused):  # it is there
                await self.membership.add(BackendSettings(name=name, kind="demo"))
        await self._submit("at the last", backend=ADDED[-1])
        await self._until(lambda: not self.ledger.unfinished())
        await self.runner.control.drain(ADDED[0])
        await self.membership.remove(ADDED[0])

    async def _keep_a_workflow(self) -> None:
        with suppress(Refused):  # it is there
            await self.library.create(Workflow(workflow_id="portrait", base="text-to-image"), "")
        await self.library.update("portrait", lambda newest: replace(newest, title="Portrait"), "")

    async def _submit(self, prompt: str, *, count: int = 1, **fields: Any) -> None:
        seed = 100 * len(self.jobs)
        source = ImageParameters(prompt=prompt, model="first", count=count, seed=seed)
        job = self._new(prompt, JobSpec(source=source, **fields))
        self.jobs[prompt] = (await self.runner.submit(job, b""))[0].job_id

    async def _submit_again(self, prompt: str) -> None:
        """What was made already, to be answered with that."""
        spec = (await self.ledger.get(self.jobs[prompt])).spec
        async with self.reuse.earlier(spec) as earlier:
            assert earlier is not None
            await self.reuse.keep(earlier.outputs)
            await self.runner.submit(answered(self._new("answered", spec), earlier), b"")

    def _new(self, request_id: str, spec: JobSpec) -> Job:
        return Job(
            job_id=str(uuid.uuid4()),
            spec=spec,
            state=JobState.QUEUED,
            create_time=time.time(),
            request_id=request_id,
        )

    def _has_begun(self, prompt: str) -> bool:
        job = self.ledger.committed(self.jobs[prompt])
        return job is None or bool(job.attempts)

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110  # what is waited for tells nobody
                await asyncio.sleep(0.001)


@asynccontextmanager
async def living(folder: Path, world: World, *, writes: int = WITHOUT_END) -> AsyncIterator[Process]:
    world.is_cut = False
    async with AsyncExitStack() as stack:
        kept = await stack.enter_async_context(open_store(f"sqlite:///{folder / 'imagegen.db'}", JobCodec()))
        store = DyingStore(kept, writes, world)
        tokens = TokenCodec(store.token_key, store.epoch)
        hub = Hub(tokens, position=store.last_position)
        ledger = await Ledger.open(store, hub, tokens=tokens, encode_event=encode_durable, clock=time.time)
        changed = asyncio.Event()
        hosting = await stack.enter_async_context(
            open_hosting(
                open_adapter=opener(world.backends),
                clock=time.time,
                on_change=changed.set,
                intervals=RHYTHM.intervals,
            )
        )
        members = [Member(config=BackendConfig(name=name, kind="demo")) for name in BACKENDS]
        fleet = await open_fleet(hosting, members)
        await restore(store, fleet, hosting, added_member)
        surroundings = Surroundings(
            ledger=ledger,
            hub=hub,
            assets=AssetStore(folder / "assets", store, max_bytes=10_000),
            orphans=await Orphans.open(store, clock=time.time),
            experience=await stack.enter_async_context(open_experience(store)),
            executor=stack.enter_context(ThreadPoolExecutor(1)),
            clock=time.time,
            limits=Limits(),
            patience=RHYTHM.patience,
        )
        work = work_of(ImageParameters(prompt="", model="first"), 1)
        for name in BACKENDS:
            # So long that it pays to spread two images.
            surroundings.experience.estimator.learn(Sample(backend=name, work=work, run_s=20.0, load_s=None))
        runner = await stack.enter_async_context(
            open_runner(
                surroundings,
                fleet,
                store=store,
                quotas=lambda: Quotas(max_queued_jobs=100),
                changed=changed,
                new_id=lambda: str(uuid.uuid4()),
            )
        )
        settings = await stack.enter_async_context(
            open_settings(store, configured=layer_of(ServerSettings()), clock=time.time, on_change=lambda: None)
        )
        membership = Membership(
            tasks=await stack.enter_async_context(task_group()),
            store=store,
            fleet=fleet,
            hosting=hosting,
            runner=runner,
            experience=surroundings.experience,
            to_member=added_member,
            on_change=changed.set,
        )
        yield Process(
            store,
            ledger,
            runner,
            surroundings.orphans,
            Library(store, clock=time.time),
            settings,
            Reuse(store=store, assets=surroundings.assets, fleet=fleet),
            surroundings.assets,
            membership,
            fleet,
            folder,
        )


def added_member(backend: BackendSettings) -> Member:
    return Member(config=backend.to_config(), is_added=True)


Work = Callable[[Process], Coroutine[Any, Any, None]]
"""What callers do, and do again when they have got no answer."""


async def dies(process: Process, do_work: Work) -> bool:
    """Works until it dies; False: it got everything done."""
    work, death = asyncio.create_task(do_work(process)), asyncio.create_task(process.store.died.wait())
    await asyncio.wait({work, death}, return_when=asyncio.FIRST_COMPLETED)
    if not process.store.died.is_set():
        death.cancel()
        await work
        return False
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return True


async def check(process: Process, world: World) -> dict[str, Job]:
    """What holds for all jobs; gives them by request_id."""
    found = {job.request_id: job for job in (await process.store.list_jobs(JobFilter(), limit=100))[0]}
    for job in found.values():
        records = await process.store.events_after(0, Scope(job_ids=frozenset({job.job_id})))
        assert [record.sequence for record in records] == list(range(1, job.sequence + 1))
        assert [record.kind for record in records].count("completed") == 1
    assert set(world.made.values()) == {1}, "an image was made twice"
    assert set(world.handed_over.values()) == {1}, "an attempt was handed over twice"
    return found


async def check_jobs(process: Process, world: World) -> None:
    found = await check(process, world)
    assert {prompt: job.state for prompt, job in found.items()} == {
        "spread": JobState.SUCCEEDED,
        "silence": JobState.SUCCEEDED,
        "endless and late": JobState.EXPIRED,
        "endless and cancelled": JobState.CANCELLED,
    }
    for prompt in ("spread", "silence"):
        assert sorted(output.image_index for output in found[prompt].outputs) == [0, 1]


async def check_workflows(process: Process, world: World) -> None:
    found = await check(process, world)
    ran, again = found["of a workflow"], found["answered"]
    assert ran.spec.invocation == again.spec.invocation == INVOCATION
    assert (again.reused_from, [each.asset.digest for each in again.outputs]) == (
        ran.job_id,
        [each.asset.digest for each in ran.outputs],
    )
    assert [(each.revision, each.title) for each in await process.library.revisions("portrait")] == [
        (2, "Portrait"),
        (1, ""),
    ]
    state, changes = process.settings.state, await process.settings.changes(limit=10)
    assert (state.version, state.stored) == (3, {"defaults.steps": 30, "defaults.width": 640})
    assert [change.after for change in changes] == [{"defaults.width": 640}, {"defaults.steps": 30}]


async def check_the_gallery(process: Process, _: World) -> None:
    (there,), (deleted,) = [
        (await process.store.list_assets(AssetFilter(deleted=each), limit=9))[0] for each in (False, True)
    ]
    assert (there.favorite, there.source) == (True, AssetSource(prompt="a fox"))
    for entry in (there, deleted):
        chunks = process.assets.read(entry.asset.digest, include_deleted=True)
        assert sha256(b"".join([chunk async for chunk in chunks])).hexdigest() == entry.asset.digest
    await process.assets.sweep()
    assert {path.parent.name + path.name for path in process.folder.glob("assets/??/*")} == {
        there.asset.digest,
        deleted.asset.digest,
    }


async def check_backends(process: Process, world: World) -> None:
    found = await check(process, world)
    done = found["at the last"]
    assert (done.state, {each.backend for each in done.attempts}) == (JobState.SUCCEEDED, {ADDED[-1]})
    assert [each.name for each in await process.store.backends()] == [ADDED[-1]]
    assert [each.name for each in process.fleet if not each.is_drained] == [*BACKENDS, ADDED[-1]]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("do_work", "check_work", "least_writes"),
    [
        (Process.run_jobs, check_jobs, 30),
        (Process.use_workflows, check_workflows, 12),
        (Process.use_the_gallery, check_the_gallery, 7),
        (Process.change_backends, check_backends, 6),
    ],
)
async def test_whichever_write_is_the_last_all_is_done_once(
    tmp_path: Path, do_work: Work, check_work: Callable[[Process, World], Awaitable[None]], least_writes: int
) -> None:
    template = tmp_path / "template.db"
    async with open_store(f"sqlite:///{template}", JobCodec()):
        pass
    writes, has_died = 0, True
    while has_died:
        writes += 1
        folder, world = tmp_path / str(writes), World()
        folder.mkdir()
        shutil.copy(template, folder / "imagegen.db")
        async with living(folder, world, writes=writes) as process:
            has_died = await dies(process, do_work)
        async with living(folder, world) as process:
            await do_work(process)
            await check_work(process, world)
    assert writes > least_writes
