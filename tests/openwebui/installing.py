"""`imagegen openwebui`, called as an admin calls it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """Sets one Open WebUI up for one gateway."""

    url: str
    token: str
    gateway: str
    gateway_key: str
    state: Path
    """Folder where it remembers what was there before."""

    async def install(self, *choices: str) -> str:
        """Gives what it printed. Raises AssertionError if it fails."""
        return await self._run("install", "--gateway", self.gateway, *choices)

    async def uninstall(self) -> str:
        return await self._run("uninstall")

    @asynccontextmanager
    async def installed(self, *choices: str) -> AsyncIterator[None]:
        """It is set up inside the block, and as it was after it."""
        await self.install(*choices)
        try:
            yield
        finally:
            await self.uninstall()

    async def _run(self, command: str, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "imagegen_client", "openwebui", command, "--url", self.url, *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                **os.environ,
                "OPENWEBUI_TOKEN": self.token,
                "IMAGEGEN_KEY": self.gateway_key,
                "IMAGEGEN_OPENWEBUI_STATE": str(self.state),
                "NO_COLOR": "1",
            },
        )
        printed, _ = await process.communicate()
        assert process.returncode == 0, printed.decode()
        return printed.decode()
