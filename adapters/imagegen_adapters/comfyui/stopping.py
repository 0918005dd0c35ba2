"""Stops a prompt, and no other."""

import structlog

from imagegen_adapters.comfyui.answers import Place
from imagegen_adapters.comfyui.backend import Backend
from imagegen_adapters.errors import AdapterError

log = structlog.get_logger(__name__)


class Stopper:
    """May be asked again and again until the prompt is gone."""

    def __init__(self, backend: Backend, prompt_id: str) -> None:
        self._backend = backend
        self._client = backend.client
        self._prompt_id = prompt_id
        self._has_interrupted = False

    async def stop(self) -> None:
        """Asks the server to stop the prompt, pending or running. Whether it did is for the caller to see."""
        try:
            if self._backend.info.has_jobs_api and await self._client.cancel_job(self._prompt_id):
                return
            await self._client.delete_pending(self._prompt_id)
            if await self._is_running():
                await self._interrupt()
        except AdapterError as error:
            log.debug("stop failed", prompt_id=self._prompt_id, reason=str(error))

    async def _is_running(self) -> bool:
        queue = await self._client.queue()
        return any(entry.prompt_id == self._prompt_id and entry.place is Place.RUNNING for entry in queue)

    async def _interrupt(self) -> None:
        if self._backend.info.honours_interrupt_id:
            await self._client.interrupt(self._prompt_id)
        elif not self._has_interrupted:
            # Such a server stops whatever runs when this arrives. It is asked once, right after it was seen that it is
            # ours that runs: a second time could hit the next one, and the first is not forgotten.
            self._has_interrupted = True
            await self._client.interrupt(self._prompt_id)
