"""Who asks: the header Imagegen-Owner, which goes on to the server as metadata of the call.

There are no keys yet, so it is taken on trust.
"""

import re
from typing import Final

from aiohttp import web

from imagegen_gateway.decoding import bad_field

HEADER: Final = "Imagegen-Owner"
METADATA: Final = "imagegen-owner"
MAX_CHARS: Final = 256
PRINTABLE: Final = re.compile(r"[ -~]*")


def owner_metadata(request: web.Request) -> tuple[tuple[str, str], ...]:
    """What a call made for this request carries. Raises Problem 400 for what metadata cannot carry."""
    values = request.headers.getall(HEADER, [])
    if not values:
        return ()
    if len(values) > 1:
        raise bad_field(HEADER, "is given more than once")
    owner = values[0].strip()
    if len(owner) > MAX_CHARS or not PRINTABLE.fullmatch(owner):
        raise bad_field(HEADER, f"must be at most {MAX_CHARS} printable ASCII characters")
    return ((METADATA, owner),)
