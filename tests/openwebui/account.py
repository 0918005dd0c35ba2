"""One user of Open WebUI, over its REST API."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from PIL import Image

PASSWORD = "no-password-of-anybody"
_TIMEOUT = aiohttp.ClientTimeout(total=60)


class Refused(Exception):
    """Open WebUI answered with an error."""

    def __init__(self, status: int, detail: Any) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


class Account:
    """Signed in; `open_account` makes one."""

    def __init__(self, session: aiohttp.ClientSession, url: str, signed_in: dict[str, Any]) -> None:
        self.url = url
        self.token: str = signed_in["token"]
        self.email: str = signed_in["email"]
        self._session = session

    async def get(self, path: str) -> Any:
        """Raises Refused, as all calls do."""
        return await self._call("GET", path)

    async def post(self, path: str, body: object = None) -> Any:
        return await self._call("POST", path, json=body)

    async def upload(self, picture: bytes) -> dict[str, Any]:
        """Attaches a PNG as the chat's input does; gives the stored file."""
        form = aiohttp.FormData()
        form.add_field("file", io.BytesIO(picture), filename="source.png", content_type="image/png")
        stored: dict[str, Any] = await self._call("POST", "/api/v1/files/?process=false", data=form)
        return stored

    async def picture(self, path: str) -> Image.Image:
        """A stored picture, decoded: it raises if it is none."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._session.get(path, headers=headers) as answer:
            answer.raise_for_status()
            picture = Image.open(io.BytesIO(await answer.read()))
        await asyncio.to_thread(picture.load)
        return picture

    async def _call(self, method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self._session.request(method, path, headers=headers, **body) as answer:
            content = await answer.json()
            if answer.status >= 400:
                raise Refused(answer.status, content.get("detail"))
            return content


@asynccontextmanager
async def open_account(url: str, name: str, *, admin: Account | None = None) -> AsyncIterator[Account]:
    """Makes an account called `name` and signs in. The first one of all becomes the admin, who makes the others."""
    who = {"name": name, "email": f"{name}@example.com", "password": PASSWORD, "profile_image_url": "/user.png"}
    if admin is not None:
        await admin.post("/api/v1/auths/add", {**who, "role": "user"})
    path = "/api/v1/auths/signup" if admin is None else "/api/v1/auths/signin"
    async with aiohttp.ClientSession(url, timeout=_TIMEOUT) as session:
        async with session.post(path, json=who) as answer:
            answer.raise_for_status()
            signed_in = await answer.json()
        yield Account(session, url, signed_in)
