"""Pictures to send, and a 5 MB one fetched over sockets."""

import io
import json
import os
import socket
import time
import urllib.request

from PIL import Image

BIG_SIDE = 1320
"""Of noise, which does not compress: 5.2 MB as PNG."""


def preview() -> bytes:
    """A JPEG of some 35 kB, about what ComfyUI sends at 512 pixels."""
    out = io.BytesIO()
    Image.effect_noise((256, 256), 64).convert("RGB").save(out, "JPEG", quality=75)
    return out.getvalue()


def big_picture() -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (BIG_SIDE, BIG_SIDE), os.urandom(BIG_SIDE * BIG_SIDE * 3)).save(out, "PNG", compress_level=0)
    return out.getvalue()


def upload(port: int, picture: bytes) -> str:
    """The path of the picture at the gateway."""
    address = f"http://127.0.0.1:{port}/api/v1/assets"
    request = urllib.request.Request(address, picture, {"Content-Type": "image/png"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return f"/api/v1/assets/{json.load(response)['digest']}"


class Fetcher:
    """One connection, over which the same file is fetched again and again."""

    def __init__(self, port: int, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._buffer = memoryview(bytearray(1 << 20))

    def fetch_ms(self, size: int) -> float:
        """Milliseconds until the last byte is there. Raises ValueError for anything but a 200 of this size."""
        began = time.perf_counter()
        self._socket.sendall(self._request)
        head = b""
        while b"\r\n\r\n" not in head:
            head += self._socket.recv(4096)
        head, _, body = head.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200") or b"content-length: %d" % size not in head.lower():
            raise ValueError(f"not the picture: {head[:200]!r}")
        left = size - len(body)
        while left:
            read = self._socket.recv_into(self._buffer, min(left, len(self._buffer)))
            if not read:
                raise ConnectionResetError("the picture was cut off")
            left -= read
        return (time.perf_counter() - began) * 1e3
