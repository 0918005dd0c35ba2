"""The async client of an imagegen server."""

from imagegen_client.calls.assets import AssetCalls
from imagegen_client.calls.catalog import CatalogCalls
from imagegen_client.calls.jobs import JobCalls
from imagegen_client.calls.keys import KeyCalls
from imagegen_client.calls.queue import QueueCalls
from imagegen_client.calls.settings import SettingsCalls
from imagegen_client.calls.workflows import WorkflowCalls


class Client(JobCalls, WorkflowCalls, QueueCalls, AssetCalls, CatalogCalls, SettingsCalls, KeyCalls):
    """Speaks to one server; `async with` opens and closes its connection, and every stream with it.

        async with Client("127.0.0.1:50051") as client:
            async with client.generate("a red fox") as watch:
                async for event in watch:
                    ...

    Data are the messages of `imagegen.v1`. Every method raises ImagegenError (see errors.py). Calls are repeated while
    the server is not there, with growing pauses, until `give_up_after_s` have passed; each of them can be repeated
    without harm. The address is "host:port"; the connection is made with the first call. `owner` says who asks: at most
    256 printable ASCII characters, ValueError for others; jobs, shares of the queue and request ids are the owner's.
    """
