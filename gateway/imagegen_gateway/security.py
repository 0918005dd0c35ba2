"""What keeps other web pages and other machines out.

Without keys the browser of the person who runs it is the way in: a page from elsewhere could post to 127.0.0.1, and a
name that resolves to 127.0.0.1 could read (DNS rebinding). Hence: the Host header must name us, requests that change
something must come from our own page or from no page at all, and other origins read nothing unless they are configured.
With keys, every path but the public ones needs one (callers.py); the rest holds all the same, because a browser sends
the page's cookie by itself.
"""

from aiohttp import web
from aiohttp.typedefs import Middleware

from imagegen_gateway.callers import CALLER, Callers
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.errors import Handler, Problem
from imagegen_gateway.keyring import Keyring

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
VIA = "Imagegen-Via"
"""Which server of ours asks, where one is a backend of another."""
PUBLIC_PATHS = frozenset(
    {
        "/",
        "/docs",
        "/docs/docs.js",
        "/docs/style.css",
        "/icon.svg",
        "/index.html",
        "/theme.js",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/session",
        "/tools/openapi.json",
    }
)
"""What can be had without a key: nothing about jobs and pictures."""
PAGE_PARTS = "/assets/"
"""What the page is made of, which is public too."""
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"
CORS_METHODS = "GET, HEAD, POST, PATCH, DELETE, OPTIONS"
CORS_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, Imagegen-Owner, Last-Event-ID, Range, If-Range, If-None-Match, "
    "Content-Digest, X-Api-Key"
)
CORS_EXPOSED = "ETag, Content-Range, Retry-After, Content-Disposition"


class Guard:
    """The checks and headers for one configuration."""

    def __init__(self, settings: GatewaySettings, callers: Callers, keyring: Keyring) -> None:
        self._callers = callers
        self._keyring = keyring
        self._origins = frozenset(origin.rstrip("/") for origin in settings.cors_origins)
        extra = frozenset(name.lower() for name in settings.allowed_hosts)
        checks_host = settings.is_loopback or bool(extra)
        self._hosts = LOOPBACK_HOSTS | extra if checks_host else None

    @property
    def middleware(self) -> Middleware:
        """The checks, and answers to CORS preflights."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.check_host(request)
            check_encoding(request)
            self.check_loop(request)
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return web.Response(status=204)
            # A page may open a websocket to anywhere, and read it.
            if request.method not in SAFE_METHODS or "Upgrade" in request.headers:
                self.check_origin(request)
            if request.path in PUBLIC_PATHS or request.path.startswith(PAGE_PARTS):
                return await handler(request)
            caller = request[CALLER] = await self._callers.identify(request)
            with self._keyring.using(request, caller.key):
                return await handler(request)

        return guard

    def check_host(self, request: web.Request) -> None:
        """Raises Problem 421 when the client thinks that it talks to somebody else."""
        if self._hosts is None:
            return
        host = hostname(request.headers.get("Host", ""))
        if host not in self._hosts:
            raise Problem(421, f"this gateway is not {host[:100]!r}; names can be added with IMAGEGEN_ALLOWED_HOSTS")

    def check_loop(self, request: web.Request) -> None:
        """Raises Problem 508 when our own server asks: somebody made this gateway a backend of it."""
        if self._keyring.server_id and request.headers.get(VIA) == self._keyring.server_id:
            raise Problem(508, "this is the imagegen server that asks: it cannot be a backend of its own")

    def check_origin(self, request: web.Request) -> None:
        """Raises Problem 403 when another site's page asks for a change."""
        origin = request.headers.get("Origin")
        if self.is_allowed(origin):
            return
        site = request.headers.get("Sec-Fetch-Site", "none")
        is_own = origin is None or origin.lower().partition("://")[2] == request.headers.get("Host", "").lower()
        if not is_own or site not in {"none", "same-origin"}:
            raise Problem(403, "a page of another site may not do this; allow it with IMAGEGEN_CORS_ORIGINS")

    def is_allowed(self, origin: str | None) -> bool:
        """Whether the origin is configured."""
        return origin is not None and ("*" in self._origins or origin in self._origins)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Signal on_response_prepare: what every answer carries, streams and errors too."""
        self._keyring.begin(request)
        if response.status != 304:  # its headers replace those that the browser has kept, and it does not know the type
            _add_policies(response)
        response.headers["Server"] = "imagegen"
        if self._origins:
            self._add_cors(request, response)

    def _add_cors(self, request: web.Request, response: web.StreamResponse) -> None:
        origin = request.headers.get("Origin")
        response.headers.add("Vary", "Origin")
        if origin is None or not self.is_allowed(origin):
            return
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = CORS_EXPOSED
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
            response.headers["Access-Control-Allow-Headers"] = CORS_HEADERS
            response.headers["Access-Control-Max-Age"] = "600"


def _add_policies(response: web.StreamResponse) -> None:
    headers = response.headers
    is_page = response.content_type == "text/html"
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "no-referrer")
    headers.setdefault("Content-Security-Policy", PAGE_POLICY if is_page else DATA_POLICY)
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if is_page:
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")


def check_encoding(request: web.Request) -> None:
    """Raises Problem 415 for a body that would have to be unpacked."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in {"", "identity"}:
        detail = "send the body as it is, without Content-Encoding"
        raise Problem(415, detail, reason="INVALID_REQUEST", headers={"Accept-Encoding": "identity"})


def hostname(host: str) -> str:
    """The name in a Host header, without port and brackets, lower-case."""
    return (host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]).lower()
