"""A fake imagegen server; see server.py."""

from tests.client.fake.faults import RESET, SHUTTING_DOWN, TOO_SLOW, Fault
from tests.client.fake.server import serve_fake
from tests.client.fake.state import FakeServer, Record
from tests.client.fake.stories import png

__all__ = ["RESET", "SHUTTING_DOWN", "TOO_SLOW", "FakeServer", "Fault", "Record", "png", "serve_fake"]
