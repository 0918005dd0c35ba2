"""What is known of a server, learnt by one run or question and used by the next."""

from typing import Any

import structlog

from imagegen_adapters.a1111.catalog import ServerCatalog
from imagegen_adapters.a1111.client import Client
from imagegen_adapters.a1111.protocol import Answer
from imagegen_adapters.a1111.requests import whole_numbers
from imagegen_adapters.errors import AdapterError, Unauthenticated, Unintelligible, Unreachable

log = structlog.get_logger()


class Knowledge:
    """Of one server. Forgets by itself what a restart makes untrue."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.catalog: ServerCatalog | None = None
        self.has_task_ids: bool | None = None
        """None: not tried since the server started."""
        self.version = ""
        """Only job answers tell it cheaply."""
        self.last_answer: Answer | None = None
        """Of our newest job, without its images."""
        self.instance: str | None = None
        """Of the server, as last noticed; empty where it cannot be told, None: not asked yet."""
        self._pinned: set[str] = set()
        self._unloaded_at: str | None = None
        """The time stamp of the last job before the model was unloaded; None: it was not."""

    async def notice_restart(self) -> str:
        """The server's present instance."""
        try:
            instance = await self._client.app_id()
        except Unintelligible:  # a page for lost visitors, from a proxy
            instance = ""
        if instance != self.instance:
            self.instance = instance
            self.has_task_ids = None
            self.last_answer = None
            self._unloaded_at = None
            self._pinned.clear()
        return instance

    async def fetch_catalog(self) -> ServerCatalog:
        self.catalog = await self._client.catalog()
        return self.catalog

    async def read_options(self) -> dict[str, Any]:
        """The server's settings; empty where they cannot be read.

        A wrongly typed value, which the server accepts from anybody, breaks this route until somebody corrects it,
        and jobs go on.
        """
        try:
            return await self._client.options()
        except (Unreachable, Unauthenticated):
            raise
        except AdapterError:
            return {}

    async def pin(self, keys: set[str], options: dict[str, Any]) -> None:
        """Makes `override_settings` of these keys end with the job.

        The server restores only what is written in its config file, and most settings are not: an override would hold
        for everybody, for ever. Setting the present value writes it there. It stays written, so once is enough.
        """
        for key in sorted(keys - self._pinned):
            if options.get(key) is None:
                continue
            try:
                await self._client.set_options({key: whole_numbers(options[key])})
            except (Unreachable, Unauthenticated):
                raise
            except AdapterError as error:
                # A model that was deleted while it is selected cannot be selected again. It does no harm: the server
                # writes down which model it loads.
                log.warning("setting not pinned", key=key, error=str(error))
            else:
                self._pinned.add(key)

    def note_unloaded(self, timestamp: str) -> None:
        """`timestamp` is that of the last job, whosever it was."""
        self._unloaded_at = timestamp

    def is_unloaded(self, timestamp: str) -> bool:
        """Whether no job has begun since."""
        return self._unloaded_at == timestamp

    def learn(self, answer: Answer) -> None:
        self._unloaded_at = None
        self.last_answer = answer
        self.version = answer.version or self.version
