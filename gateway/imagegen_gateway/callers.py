"""Who asks: by the key that was shown, and by the user for whom its holder says to ask.

Without keys everybody who gets through is trusted, and may do everything. With keys, only the holder of one that acts
for users may name somebody else: by Imagegen-Owner, or by what Open WebUI forwards of its users, plain or signed.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

import jwt
from aiohttp import web
from google.protobuf.message import Message

from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.decoding import bad_field
from imagegen_gateway.errors import Problem, unavailable
from imagegen_gateway.keyring import Keyring
from imagegen_gateway.keys import Key, Role
from imagegen_gateway.roles import is_allowed, needed_role

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
    role: Role = Role.USER
    """What it may do; everything while there are no keys."""
    key: Key | None = None
    """The key that was shown; None while there are none."""
    peer: str = ""
    """Address that the request came from, without port."""

    @property
    def key_name(self) -> str:
        """Name of the key that was shown; empty while there are none."""
        return self.key.name if self.key is not None else ""

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


class Callers:
    """Finds out who asks."""

    def __init__(self, settings: GatewaySettings, keyring: Keyring) -> None:
        self._settings = settings
        self._keyring = keyring

    async def identify(self, request: web.Request) -> Caller:
        """Who asks. Raises Problem 401 without a right key, 400 and 403 for an owner that cannot be.

        503 while nobody can say which keys there are.
        """
        key = await self.check_key(shown_key(request))
        if key is None:
            user = named_user(request, self._settings)
            return Caller(owner=named_owner(request) or user, role=Role.ADMIN, peer=request.remote or "")
        user = named_user(request, self._settings) if key.acts_for_users else ""
        owner = named_owner(request)
        if owner and not key.acts_for_users and owner != key.default_owner:
            detail = f"the key {key.name} may not ask for others: leave out {HEADER}"
            raise Problem(403, detail, reason="PERMISSION_DENIED")
        return Caller(owner=owner or user or key.default_owner, key=key, role=key.role, peer=request.remote or "")

    async def check_key(self, shown: str) -> Key | None:
        """The key that was shown; None: there are no keys. Raises Problem 401, 503."""
        ring = self._keyring
        found = ring.find(shown)
        if found is None and not ring.is_complete and (shown or not ring.keys):
            if not await ring.until(lambda: ring.is_complete):
                raise unavailable("the imagegen server has not told yet which keys there are")
            found = ring.find(shown)
        if found is None and ring.keys:
            detail = "this key is not known here" if shown else "a key is needed, as Authorization: Bearer KEY"
            headers = {"WWW-Authenticate": 'Bearer realm="imagegen"'}
            raise Problem(401, detail, reason="UNAUTHENTICATED", headers=headers)
        return found


def check_allowed(caller: Caller, rpc: str, request: Message) -> None:
    """Raises Problem 403 for a call that the caller's role does not allow."""
    if not is_allowed(caller.role, needed_role(rpc, request, caller.owner)):
        detail = f"the key {caller.key_name} has the role user, and this takes one with the role admin"
        raise Problem(403, detail, reason="PERMISSION_DENIED")


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
