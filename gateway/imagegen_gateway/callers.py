"""Who asks: by the key that was shown, and by the user for whom its holder says to ask.

Without keys everybody who gets through is trusted. With keys, only the holder of one that acts for users may name
somebody else: by Imagegen-Owner, or by what Open WebUI forwards of its users, plain or signed.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

import jwt
from aiohttp import web

from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem
from imagegen_gateway.keys import KeySettings, find_key

HEADER: Final = "Imagegen-Owner"
USER_EMAIL: Final = "X-OpenWebUI-User-Email"
USER_ID: Final = "X-OpenWebUI-User-Id"
USER_TOKEN: Final = "X-OpenWebUI-User-Jwt"  # noqa: S105  # the name of a header
TOKEN_ISSUER: Final = "open-webui"  # noqa: S105  # a name too
KEY_HEADER: Final = "X-Api-Key"
COOKIE: Final = "imagegen_key"
METADATA: Final = "imagegen-owner"
MAX_CHARS: Final = 256
PRINTABLE: Final = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks."""

    owner: str = ""
    """Whose job it will be; empty: nobody in particular."""
    key: str = ""
    """Name of the key that was shown; empty while there are no keys."""
    peer: str = ""
    """Address that the request came from, without port."""

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call made for it carries."""
        return ((METADATA, self.owner),) if self.owner else ()

    @property
    def identity(self) -> tuple[str, str]:
        """Tells apart callers of a dialect that has no names for them: owner and address."""
        return self.owner, self.peer


CALLER: Final = web.RequestKey("caller", Caller)


def caller_of(request: web.Request) -> Caller:
    """Who asks, as the guard found out before the handler was called."""
    return request[CALLER]


def owner_of(request: web.Request) -> str:
    """Whose request it is, as far as that was found out before it was refused."""
    caller = request.get(CALLER)
    return caller.owner if caller is not None else ""


def identify(request: web.Request, settings: GatewaySettings) -> Caller:
    """Finds out who asks. Raises Problem 401 without a right key, 400 and 403 for an owner that cannot be."""
    key = check_key(request, settings.keys)
    peer = request.remote or ""
    user = named_user(request, settings) if key is None or key.acts_for_users else ""
    if key is None:
        return Caller(owner=named_owner(request) or user, peer=peer)
    owner = named_owner(request)
    if owner and not key.acts_for_users and owner != key.default_owner:
        raise Problem(403, f"the key {key.name} may not ask for others: leave out {HEADER}", reason="PERMISSION_DENIED")
    return Caller(owner=owner or user or key.default_owner, key=key.name, peer=peer)


def check_key(request: web.Request, keys: list[KeySettings]) -> KeySettings | None:
    """The key that was shown; None: there are no keys. Raises Problem 401."""
    if not keys:
        return None
    shown = shown_key(request)
    found = find_key(keys, shown) if shown else None
    if found is None:
        detail = "this key is not known here" if shown else "a key is needed, as Authorization: Bearer KEY"
        raise Problem(401, detail, reason="UNAUTHENTICATED", headers={"WWW-Authenticate": 'Bearer realm="imagegen"'})
    return found


def shown_key(request: web.Request) -> str:
    """The key in a request, wherever clients can put one; empty: none."""
    if KEY_HEADER in request.headers:
        return request.headers[KEY_HEADER].strip()
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip()
        case "basic":
            return _password(value.strip())
        case _:
            return request.cookies.get(COOKIE, "")


def _password(value: str) -> str:
    """What follows the user's name, which may be anything: A1111's clients know user and password only."""
    try:
        return base64.b64decode(value, validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def named_owner(request: web.Request) -> str:
    """The owner that the request names; empty: none. Raises Problem 400 for what a call cannot carry."""
    values = request.headers.getall(HEADER, [])
    if len(values) > 1:
        raise bad_field(HEADER, "is given more than once")
    owner = values[0].strip() if values else ""
    if not is_owner(owner):
        raise bad_field(HEADER, f"must be at most {MAX_CHARS} printable ASCII characters")
    return owner


def named_user(request: web.Request, settings: GatewaySettings) -> str:
    """The user whom Open WebUI asks for; empty: it does not say. Raises Problem 401 for a forged signature.

    Where a secret for signatures is set, only what is signed counts.
    """
    secret = settings.openwebui_jwt_secret.get_secret_value()
    if secret:
        return signed_user(request.headers.get(USER_TOKEN, ""), secret)
    return user_name(request.headers.get(USER_EMAIL, ""), request.headers.get(USER_ID, ""))


def signed_user(token: str, secret: str) -> str:
    """The user in a signed token. Raises Problem 401."""
    if not token:
        return ""
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], issuer=TOKEN_ISSUER, options={"require": ["exp"]})
    except jwt.InvalidTokenError as exc:
        detail = f"{USER_TOKEN} is not valid: {exc}"
        raise Problem(401, detail, reason="UNAUTHENTICATED") from exc
    return user_name(str(claims.get("email", "")), str(claims.get("sub", "")))


def user_name(email: str, user_id: str) -> str:
    """How a user is called as an owner: by the e-mail address, which people can read, or else by the id."""
    for name in (email.strip(), user_id.strip()):
        if name and is_owner(name):
            return name
    return ""


def is_owner(text: str) -> bool:
    """Whether a call can carry it."""
    return len(text) <= MAX_CHARS and PRINTABLE.fullmatch(text) is not None
