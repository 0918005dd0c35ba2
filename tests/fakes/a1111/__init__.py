"""An A1111 server without models: it behaves as version 1.10.1 was recorded to behave, and misbehaves on command."""

from tests.fakes.a1111.faults import Faults
from tests.fakes.a1111.server import FakeA1111, Flavor, open_fake

__all__ = ["FakeA1111", "Faults", "Flavor", "open_fake"]
