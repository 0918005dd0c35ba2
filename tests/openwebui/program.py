"""The real Open WebUI as a process, with a folder of its own and nothing to download."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.e2e.programs import free_port

START_TIMEOUT_S = 240.0
STOP_TIMEOUT_S = 20.0
_POLL_S = 0.25
_LAST_BYTES = 8000

# Nothing is fetched from anywhere, and nothing is reported.
OFFLINE = {
    "OFFLINE_MODE": "true",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "ENABLE_VERSION_UPDATE_CHECK": "false",
    "RAG_EMBEDDING_ENGINE": "openai",
    "RAG_EMBEDDING_MODEL_AUTO_UPDATE": "false",
    "RAG_RERANKING_MODEL_AUTO_UPDATE": "false",
    "WHISPER_MODEL_AUTO_UPDATE": "false",
    "BYPASS_EMBEDDING_AND_RETRIEVAL": "true",
    "ENABLE_PIP_INSTALL_FRONTMATTER_REQUIREMENTS": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "DO_NOT_TRACK": "true",
    "SCARF_NO_ANALYTICS": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}


class OpenWebUI:
    """Its process, over all its lives: each is at the same address and has the same data."""

    def __init__(self, venv: Path, folder: Path, *, chat_model_url: str, settings: Mapping[str, str]) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self._program = venv / "bin" / "open-webui"
        self._folder = folder
        self._log = folder / "open-webui.log"
        self._env = {**os.environ, **OFFLINE, **_settings(folder, self.url, chat_model_url), **settings}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Returns when it answers. Raises RuntimeError, with its last lines, if it does not start."""
        with self._log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                self._program,
                *("serve", "--host", "127.0.0.1", "--port", self.url.rpartition(":")[2]),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                cwd=self._folder,
                env=self._env,
            )
        if not await _is_up(self._process, self.url):
            raise RuntimeError(f"Open WebUI did not start; its last lines:\n{_last_lines(self._log)}")

    async def kill(self) -> None:
        """It has no time to say goodbye to anybody."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        if self._process is not None:
            await _end(self._process)


@asynccontextmanager
async def open_webui(
    venv: Path, folder: Path, *, chat_model_url: str, settings: Mapping[str, str]
) -> AsyncIterator[OpenWebUI]:
    """Runs the Open WebUI of `venv` with fresh data in `folder`, and with these settings beside the usual ones.

    Its only provider at the start is the chat model.
    """
    webui = OpenWebUI(venv, folder, chat_model_url=chat_model_url, settings=settings)
    try:
        await webui.start()
        yield webui
    finally:
        await webui.end()


def _settings(folder: Path, url: str, chat_model_url: str) -> dict[str, str]:
    return {
        "DATA_DIR": str(folder / "data"),
        "STATIC_DIR": str(folder / "static"),
        "WEBUI_URL": url,
        "WEBUI_SECRET_KEY": "no-secret-of-anybody",
        "CORS_ALLOW_ORIGIN": url,
        "ENABLE_SIGNUP": "true",
        "ENABLE_API_KEYS": "true",
        "ENABLE_CHANNELS": "true",
        "ENABLE_OLLAMA_API": "false",
        "ENABLE_OPENAI_API": "true",
        "OPENAI_API_BASE_URL": chat_model_url,
        "OPENAI_API_KEY": "sk-none",
        # Without it a model can be used by others than admins only when it was made public by hand.
        "BYPASS_MODEL_ACCESS_CONTROL": "true",
        # The image engine and the filter learn from these whose picture it is.
        "ENABLE_FORWARD_USER_INFO_HEADERS": "true",
        "GLOBAL_LOG_LEVEL": "INFO",
    }


async def _is_up(process: asyncio.subprocess.Process, url: str) -> bool:
    try:
        async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession(url) as session:
            while process.returncode is None:
                try:
                    async with session.get("/health") as answer:
                        if answer.status == 200:
                            return True
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        pass
    return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _last_lines(log: Path) -> str:
    return log.read_bytes()[-_LAST_BYTES:].decode(errors="replace")
