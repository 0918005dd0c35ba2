"""What Open WebUI 0.12.4 sent to its image engine, sent again byte by byte."""

import asyncio
import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of
from tests.gateway.dialects.pictures import opened

RECORDINGS = Path(__file__).parents[3] / "recordings" / "openwebui" / "images.jsonl"
EXCHANGES: list[dict[str, Any]] = [json.loads(line) for line in RECORDINGS.read_text().splitlines()]
PICTURE_BYTES = 7858


def picture() -> bytes:
    """One of the recorded size."""
    plain = padded("")
    return padded("x" * (PICTURE_BYTES - len(plain)))


def padded(text: str) -> bytes:
    out, info = io.BytesIO(), PngImagePlugin.PngInfo()
    info.add_text("padding", text)
    Image.new("RGB", (64, 64), "red").save(out, "PNG", pnginfo=info)
    return out.getvalue()


def body_of(exchange: dict[str, Any]) -> bytes:
    """As aiohttp wrote it."""
    body = exchange["body"]
    if isinstance(body, dict):
        return json.dumps(body).encode()
    boundary = exchange["headers"]["Content-Type"].partition("boundary=")[2]
    written = b""
    for part in body:
        headers = "".join(f"{name}: {value}\r\n" for name, value in part["headers"].items())
        value = picture() if part["filename"] else part["value"].encode()
        written += f"--{boundary}\r\n{headers}\r\n".encode() + value + b"\r\n"
    return written + f"--{boundary}--\r\n".encode()


async def send(house: House, exchange: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """The status line and the JSON of the answer."""
    body = body_of(exchange)
    assert len(body) == int(exchange["headers"]["Content-Length"])
    address = house.url.removeprefix("http://")
    headers = {**exchange["headers"], "Host": address, "Connection": "close"}
    head = f"POST /openai{exchange['path']} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    reader, writer = await asyncio.open_connection(*address.split(":"))
    writer.write(head.encode() + b"\r\n" + body)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    top, _, rest = answer.partition(b"\r\n\r\n")
    return top.splitlines()[0], json.loads(rest)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=[exchange["name"] for exchange in EXCHANGES])
async def test_open_webui_gets_what_it_reads(house: House, exchange: dict[str, Any]) -> None:
    status, answer = await send(house, exchange)
    assert status == b"HTTP/1.1 200 OK"
    (job,) = await jobs_of(house)
    fields = exchange["body"]
    if isinstance(fields, list):
        fields = {part["name"]: part["value"] for part in fields}
        assert job.spec.image.init_image
    assert (len(answer["data"]), job.spec.image.prompt) == (int(fields.get("n", 1)), fields["prompt"])
    width, height = map(int, fields.get("size", "64x64").split("x"))
    for image in answer["data"]:
        assert opened(base64.b64decode(image["b64_json"])).size == (width, height)
    assert job.owner == exchange["headers"].get("X-OpenWebUI-User-Email", "")
