"""Backends and queue as they are now, in the words of the contract."""

from collections.abc import Callable
from dataclasses import dataclass

from imagegen.v1 import backend_pb2, queue_pb2
from imagegen_server.backend import Backend
from imagegen_server.fleet import Fleet
from imagegen_server.ledger import Ledger
from imagegen_server.quotas import Quotas
from imagegen_server.running.runner import Runner
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.wire.backends import encode_backend
from imagegen_server.wire.queue import encode_queue


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """Used by services that tell about the same."""

    fleet: Fleet
    ledger: Ledger
    runner: Runner
    quotas: Callable[[], Quotas]
    estimator: Estimator

    def backends(self) -> list[backend_pb2.Backend]:
        """All, as they were last seen."""
        return [self.backend(backend) for backend in self.fleet]

    def backend(self, backend: Backend) -> backend_pb2.Backend:
        return encode_backend(
            backend,
            self.runner.running_jobs(backend.name),
            megapixel_steps_per_second=self.estimator.megapixel_steps_per_second(backend.name),
        )

    def queue(self) -> queue_pb2.Queue:
        control = self.runner.control
        return encode_queue(
            self.ledger.unfinished(), self.quotas(), is_paused=control.is_paused, paused_owners=control.paused_owners
        )
