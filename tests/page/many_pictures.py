"""A gallery as people have it after a year, written into a data folder before its server starts.

`python -m tests.page.many_pictures FOLDER` makes one to look at.
"""

import hashlib
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import insert

from imagegen_server.jobs import AssetOrigin
from imagegen_server.stores.database import open_database
from imagegen_server.stores.schema import assets

SIDE: Final = 16
MODELS: Final = ("aquarelle.safetensors", "photo-xl.safetensors", "ink.safetensors")
SUBJECTS: Final = ("lighthouse", "fox", "teapot", "harbour", "mountain", "cat", "bicycle", "library")
HOUR_S: Final = 3600.0


def write_pictures(folder: Path, count: int) -> None:
    """Picture `number` (from 0, the oldest) is "SUBJECT number N"; every tenth was made for anna."""
    engine = open_database(f"sqlite:///{folder / 'imagegen.db'}")
    for name in range(256):
        (folder / "assets" / f"{name:02x}").mkdir(parents=True, exist_ok=True)
    began = time.time() - count * HOUR_S
    rows = []
    for number, data in enumerate(pictures(count)):
        digest = hashlib.sha256(data).hexdigest()
        (folder / "assets" / digest[:2] / digest[2:]).write_bytes(data)
        rows.append(row(number, digest, len(data), began + number * HOUR_S))
    with engine.begin() as connection:
        connection.execute(insert(assets), rows)  # one by one they would take longer than the test
    engine.dispose()


def row(number: int, digest: str, size_bytes: int, created: float) -> dict[str, Any]:
    """As the server describes it."""
    prompt = f"{SUBJECTS[number % len(SUBJECTS)]} number {number}"
    return {
        "digest": digest,
        "size_bytes": size_bytes,
        "media_type": "image/png",
        "width": SIDE,
        "height": SIDE,
        "create_time": created,
        "kept_since": created,
        "origin": AssetOrigin.OUTPUT.value,
        "job_id": f"job-{number // 4}",
        "owner": "anna" if number % 10 == 0 else "",
        "prompt": prompt,
        "searched": prompt.casefold(),
        "model": MODELS[number % len(MODELS)],
        "workflow_id": "text-to-image",
        "image_index": number % 4,
        "seed": number,
        "is_picture": True,
    }


def pictures(count: int) -> Iterator[bytes]:
    """PNGs of one colour each, all different."""
    for number in range(count):
        colour = bytes((number * 37 % 256, number * 91 % 256, number // 256 * 5 % 256))
        rows = zlib.compress((b"\0" + colour * SIDE) * SIDE, 1)
        header = SIDE.to_bytes(4) * 2 + b"\x08\x02\0\0\0"
        parts = [(b"IHDR", header), (b"tEXt", b"Number\0%d" % number), (b"IDAT", rows), (b"IEND", b"")]
        yield b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in parts)


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


if __name__ == "__main__":
    write_pictures(Path(sys.argv[1]), 10_000)
