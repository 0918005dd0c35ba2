"""Who asks, as the metadata of the call says. There are no keys yet, so it is taken on trust."""

import re
from typing import Final

from imagegen_adapters.errors import Violation
from imagegen_server.errors import invalid
from imagegen_server.services.rpc import Context

OWNER_KEY: Final = "imagegen-owner"
MAX_OWNER_CHARS: Final = 256
_PRINTABLE = re.compile(r"[ -~]*")


def owner_of(context: Context) -> str:
    """The owner; empty: nobody in particular. Refused: INVALID_REQUEST."""
    values = [str(value) for key, value in context.invocation_metadata() or () if key == OWNER_KEY]
    if len(values) > 1:
        raise invalid([Violation(OWNER_KEY, "must be given once")])
    owner = values[0].strip() if values else ""
    if len(owner) > MAX_OWNER_CHARS or not _PRINTABLE.fullmatch(owner):
        raise invalid([Violation(OWNER_KEY, f"must be at most {MAX_OWNER_CHARS} printable ASCII characters")])
    return owner
