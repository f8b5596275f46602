"""Who may ask the station: programs with the token, and browsers that are on its own page.

Without a token the station listens on this machine only. A page of another site, open in a browser
here, could still send requests to it. Two headers that a page cannot change tell it: `Host`, which
is the other site's name when that name was made to lead here (DNS rebinding), and `Origin`.
"""

import hashlib
import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from anomgan.station.uploads import discard_body

COOKIE = "anomgan_station"
OPEN = ("/", "/docs", "/openapi.json", "/session")
"""Addresses that need no token, beside the files of the pages: they tell and change nothing."""
READING = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Guard:
    """Middleware that turns away whom the station is not for.

    Args:
        app: the service.
        token: what clients must know; None where only this machine can reach the station.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # start and end of the service
            return await self._app(scope, receive, send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refused = self._refusal(scope, Headers(scope=scope))
        if refused is None:
            return await self._app(scope, receive, send_guarded)
        status, error = refused
        answer = JSONResponse({"error": error}, status)
        if status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        await discard_body(Request(scope, receive))
        await answer(scope, receive, send_guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and error of a request that is turned away."""
        host = headers.get("host", "")
        if self._token is None and not is_this_machine(_name_in(host)):
            return 403, f"the station answers as 127.0.0.1 or localhost, not as {host or 'nobody'}"
        if scope["method"] not in READING and not _is_own_page(headers, host):
            return 403, "a page of another site can't change anything here"
        path = scope["path"]
        if self._token is None or path in OPEN or path.startswith("/page/"):
            return None
        return None if self._is_known(headers) else (401, "the token is missing or wrong")

    def _is_known(self, headers: Headers) -> bool:
        assert self._token is not None
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return is_same(given.strip(), self._token)
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and is_same(cookie.value, session_of(self._token))


def session_of(token: str) -> str:
    """What a browser keeps instead of the token itself."""
    return hmac.new(token.encode(), b"session of an anomgan station", hashlib.sha256).hexdigest()


def is_same(given: str, wanted: str) -> bool:
    """Compare secrets in a time that does not tell how much of them is right."""
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def is_this_machine(host: str) -> bool:
    """Whether a name or an address leads to this machine and to no other."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _name_in(host: str) -> str:
    """The name or address in a `Host` header, without the port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own_page(headers: Headers, host: str) -> bool:
    """Whether a request comes from the station's page, or from no page at all."""
    origin = headers.get("origin")
    if origin is not None and origin.lower().partition("://")[2] != host.lower():
        return False
    return headers.get("sec-fetch-site", "none") in ("same-origin", "none")
