"""A program that speaks A1111's API with the gateway."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image

RECORDINGS = Path(__file__).parents[3] / "recordings" / "a1111"
QUICK: Mapping[str, Any] = {"prompt": "a red fox", "width": 64, "height": 64, "steps": 4, "seed": 7}


@dataclass(frozen=True)
class Program:
    """Sends requests under /a1111."""

    http: aiohttp.ClientSession
    headers: Mapping[str, str]

    async def get(self, path: str) -> Any:
        """The answer to a GET, which must be a success."""
        return await self._answer("GET", path, None)

    async def post(self, path: str, body: Any = None) -> Any:
        """The answer to a POST, which must be a success."""
        return await self._answer("POST", path, body)

    async def refusal(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and answer of a POST."""
        async with self.http.post(f"/a1111{path}", json=body, headers=self.headers) as response:
            return response.status, await response.json()

    async def _answer(self, method: str, path: str, body: Any) -> Any:
        async with self.http.request(method, f"/a1111{path}", json=body, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    def of(self, owner: str) -> "Program":
        """The same for somebody else."""
        return Program(self.http, {"Imagegen-Owner": owner})


@pytest.fixture(name="program")
def program_fixture(http: aiohttp.ClientSession) -> Program:
    return Program(http, {})


def as_text(picture: Image.Image) -> str:
    """As base64."""
    out = io.BytesIO()
    picture.save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def as_picture(text: str) -> Image.Image:
    """What base64 shows."""
    return Image.open(io.BytesIO(base64.b64decode(text)))
