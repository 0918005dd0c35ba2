"""Resume tokens and page tokens: opaque to everyone else, and not to be forged.

A resume token names a position in the durable log of all jobs, so it serves a watcher of one job and of many.
It is version | epoch | position | checksum | signature, in URL-safe base64 without padding. The epoch names the data
folder. A token of another folder is signed with another key, so for it only the checksum tells it from garbage; that
is enough, because all it brings is a fresh start.
"""

import base64
import binascii
import hmac
import struct
import zlib

from imagegen_adapters.errors import Violation
from imagegen_server.errors import Refused

_VERSION = 1
_BODY = struct.Struct(">BIQ")
_CHECKSUM = struct.Struct(">I")
_SIGNATURE_BYTES = 10
# 27 bytes are 36 characters exactly: base64 has no spare bits in which two spellings of one token could differ.
_TOKEN_BYTES = _BODY.size + _CHECKSUM.size + _SIGNATURE_BYTES
_PAGE = struct.Struct(">Q")
MAX_EPOCH = 2**32 - 1


def server_id_of(token_key: bytes) -> str:
    """What tells this server from others, as long as its data folder lives. No secret."""
    return hmac.digest(token_key, b"server id", "sha256")[:16].hex()


class InvalidToken(Refused):
    """A resume token that this service did not make."""

    def __init__(self) -> None:
        message = "this is no resume token of this service; leave it out to start anew"
        super().__init__("INVALID_RESUME_TOKEN", message, violations=[Violation("resume_token", message)])


class InvalidPageToken(Refused):
    """A page token that this service did not make for this listing."""

    def __init__(self) -> None:
        message = "this is no page token of this listing; leave it out to start anew"
        super().__init__("INVALID_PAGE_TOKEN", message, violations=[Violation("page_token", message)])


class TokenCodec:
    """Makes and reads the tokens of one data folder."""

    def __init__(self, key: bytes, epoch: int) -> None:
        """`key` is secret; `epoch` is from 0 to MAX_EPOCH, different for every data folder."""
        self._key = key
        self._epoch = epoch

    def encode(self, position: int) -> str:
        """The resume token for what comes after `position`."""
        body = _BODY.pack(_VERSION, self._epoch, position)
        return _to_text(body + _CHECKSUM.pack(zlib.crc32(body)) + self._sign(b"resume", body))

    def decode(self, token: str) -> int | None:
        """The position that the token names; None: it is of another data folder. Raises InvalidToken."""
        raw = _from_text(token)
        if len(raw) != _TOKEN_BYTES:
            raise InvalidToken
        body, checksum, signature = raw[:13], raw[13:17], raw[17:]
        version, epoch, position = _BODY.unpack(body)
        if version != _VERSION or checksum != _CHECKSUM.pack(zlib.crc32(body)):
            raise InvalidToken
        if epoch != self._epoch:
            return None
        if not hmac.compare_digest(signature, self._sign(b"resume", body)):
            raise InvalidToken
        return int(position)

    def encode_page(self, before: int, scope: str = "") -> str:
        """The token of the page that goes on behind item number `before`; valid within `scope` only.

        `scope` is the listing with its filters: a token is of no use for another one.
        """
        body = _PAGE.pack(before)
        return _to_text(body + self._sign(b"page:" + scope.encode(), body))

    def decode_page(self, token: str, scope: str = "") -> int:
        """What `encode_page` was given. Raises InvalidPageToken."""
        raw = _from_text(token)
        body, signature = raw[: _PAGE.size], raw[_PAGE.size :]
        if not hmac.compare_digest(signature, self._sign(b"page:" + scope.encode(), body)):
            raise InvalidPageToken
        return int(_PAGE.unpack(body)[0])

    def _sign(self, purpose: bytes, body: bytes) -> bytes:
        # The body comes first and has a fixed size per purpose, so no two pairs give the same message.
        return hmac.digest(self._key, body + purpose, "sha256")[:_SIGNATURE_BYTES]


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _from_text(text: str) -> bytes:
    """The bytes, or none if the text is not exactly what `_to_text` writes."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""
    return raw if _to_text(raw) == text else b""
