"""Has backends stop attempts that were given up and that nobody needs any more."""

import asyncio
from collections.abc import Container

import structlog

from imagegen_adapters.contract import Adapter, Task
from imagegen_adapters.errors import AdapterError, Unreachable
from imagegen_server.backend import Backend
from imagegen_server.fleet import Fleet
from imagegen_server.ledger import Ledger
from imagegen_server.running.orphans import Orphan, Orphans
from imagegen_server.running.slicing import handed_over, within

log = structlog.get_logger(__name__)


class Fence:
    """Belongs to the runner."""

    def __init__(self, orphans: Orphans, *, ledger: Ledger, fleet: Fleet, timeout_s: float) -> None:
        self._orphans = orphans
        self._ledger = ledger
        self._fleet = fleet
        self._timeout_s = timeout_s

    def due(self, driven: Container[str]) -> list[tuple[Orphan, Backend]]:
        """What is to be stopped now, and where; `stop` has to be called for each. `driven`: ids of attempts in hand."""
        found = []
        for orphan in self._orphans:
            backend = self._fleet.get(orphan.backend)
            if backend is not None and orphan.attempt_id not in driven and self._is_due(orphan, backend):
                self._orphans.begin_stop(orphan)
                found.append((orphan, backend))
        return found

    async def stop(self, orphan: Orphan, backend: Backend) -> None:
        """Asks the backend once; if it falls silent over that, it is asked again later. Raises StoreError."""
        try:
            outcome = await _stop(orphan, backend.adapter, timeout_s=self._timeout_s)
        except Unreachable as error:
            backend.suspect(str(error))
            return
        except Exception:
            log.exception("stopping a forsaken attempt failed", job_id=orphan.job_id, backend=backend.name)
            outcome = "its adapter failed unexpectedly"
        finally:
            self._orphans.end_stop(orphan)
        await self._orphans.remove(orphan.attempt_id)
        log.info("forsaken attempt stopped", job_id=orphan.job_id, backend=backend.name, outcome=outcome)

    def _is_due(self, orphan: Orphan, backend: Backend) -> bool:
        if not backend.is_healthy or self._orphans.is_being_stopped(orphan.job_id, orphan.backend):
            return False
        job = self._ledger.committed(orphan.job_id)
        if job is None or orphan.has_died or not backend.adapter.capabilities.reattach:
            return True
        # As long as its images are missing, the job may come back to it.
        return within(job.missing, handed_over(job, orphan.number)) is None


async def _stop(orphan: Orphan, adapter: Adapter, *, timeout_s: float) -> str:
    """Has the backend stop it; gives what came of it, in words. Raises Unreachable."""
    task = Task(attempt_id=orphan.attempt_id, source=orphan.source)
    try:
        async with asyncio.timeout(timeout_s), adapter.reattach(task, orphan.handle) as run:
            await run.cancel()
            # From here on leaving need not stop it: a server that goes down asks again after its start.
            run.detach()
            async for _ in run:
                pass
    except Unreachable:
        raise
    except AdapterError as error:
        return str(error)
    except TimeoutError:
        return "the backend did not confirm in time that it stopped"
    return "it was finished already"
