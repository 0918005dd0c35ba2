"""A stand-in for Open WebUI 0.12.4: what it does when somebody configures it, and when a tool server writes to a chat.

Everything it answers is as the real one was read and recorded to answer.
"""

from tests.fakes.openwebui.server import FakeOpenWebUI, open_fake
from tests.fakes.openwebui.state import ChatEvent, StoredFile

__all__ = ["ChatEvent", "FakeOpenWebUI", "StoredFile", "open_fake"]
