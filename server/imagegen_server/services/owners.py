"""Who asks, as the metadata of the call says. There are no keys yet, so it is taken on trust."""

import re
from typing import Final

from imagegen_adapters.errors import Violation
from imagegen_server.errors import invalid
from imagegen_server.services.rpc import Context

OWNER_KEY: Final = "imagegen-owner"
MAX_OWNER_CHARS: Final = 256
OWNER_RULE: Final = f"must be at most {MAX_OWNER_CHARS} printable ASCII characters"
_PRINTABLE = re.compile(r"[ -~]*")


def owner_of(context: Context) -> str:
    """The owner; empty: nobody in particular. Refused: INVALID_REQUEST."""
    values = [str(value) for key, value in context.invocation_metadata() or () if key == OWNER_KEY]
    if len(values) > 1:
        raise invalid([Violation(OWNER_KEY, "must be given once")])
    owner = values[0].strip() if values else ""
    if not is_owner(owner):
        raise invalid([Violation(OWNER_KEY, OWNER_RULE)])
    return owner


def is_owner(name: str) -> bool:
    """Whether an owner can be called so."""
    return len(name) <= MAX_OWNER_CHARS and name == name.strip() and bool(_PRINTABLE.fullmatch(name))
