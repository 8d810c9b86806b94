"""Who may ask, how much, and what a browser may do with the answer: a gate before the application.

Bound to loopback, the studio answers requests whose `Host` is a loopback name, so that no web page can reach it under a
name of its own (DNS rebinding); `Origin`, where a browser sends it, must be the same place. Opened to a network it
wants a token besides. Bodies are read here up to their limit, so that no route meets one that never ends.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from . import errors
from .settings import LOOPBACK, Settings

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' blob:; worker-src 'self' blob:; connect-src 'self'; "
    "font-src 'self' data:; manifest-src 'self'; frame-src 'self'; frame-ancestors 'self'; base-uri 'none'; "
    "form-action 'none'"
)
HEADERS = {
    "content-security-policy": POLICY, "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin", "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), midi=(self)",
}  # fmt: skip
COOKIE_YEAR = 365 * 24 * 3600
FILES = re.compile(r"/api/(upload|sets/[^/]+/files)")  # routes whose body is a file
STREAMED = re.compile(r"/api/sets/[^/]+/files")  # and those that read it themselves, for it may be large
VISITOR = re.compile(r"[0-9a-f]{32}")
LOCAL_ADDRESS = re.compile(r"(?P<host>\[[0-9a-fA-F:.]+\]|[^:]+)(?::\d{1,5})?")


class Gate:
    """The application behind it sees only what may pass; `scope["state"]["visitor"]` says who asks."""

    def __init__(self, app, settings: Settings):
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSockets here
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        cookies = _cookies(headers.get("cookie", ""))
        new = self._visitor(scope, headers, cookies)
        answer = _Answer(send, {"visitor": new} if new else {})
        try:
            if self._enters(scope):
                await self._welcome(scope, answer)
                return
            self._check(scope, headers, cookies)
            receive = await self._body(scope, headers, receive)
        except errors.PartimentoError as error:
            await answer.error(error)
            return
        await self.app(scope, receive, answer)

    def _visitor(self, scope: Scope, headers: dict[str, str], cookies: dict[str, str]) -> str:
        """Say in the scope who asks; a browser that is new gets a name."""
        known = cookies.get("visitor", "")
        state = scope.setdefault("state", {})
        if VISITOR.fullmatch(known):
            state["visitor"] = known
            return ""
        if "mozilla" in headers.get("user-agent", "").lower():
            state["visitor"] = secrets.token_hex(16)
            return state["visitor"]
        client = scope.get("client")
        state["visitor"] = f"address {client[0] if client else 'unknown'}"
        return ""

    def _enters(self, scope: Scope) -> bool:
        """Whether somebody opens the page with the token in the address."""
        return bool(self.settings.token) and scope["method"] == "GET" and b"token=" in scope.get("query_string", b"")

    async def _welcome(self, scope: Scope, answer: _Answer) -> None:
        """Keep the token as a cookie, and take it out of the address."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = query.pop("token", [""])[0]
        if not _same(given, self.settings.token):
            raise errors.Unauthorised("the token in the address is not this studio's; take the address that it printed")
        rest = urlencode(query, doseq=True)
        path = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
        answer.cookies["token"] = given
        await answer({"type": "http.response.start", "status": 303, "headers": [(b"location", _ascii(path))]})
        await answer({"type": "http.response.body", "body": b""})

    def _check(self, scope: Scope, headers: dict[str, str], cookies: dict[str, str]) -> None:
        """Raise where the request may not pass."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or not self._is_own(headers["host"]):
            raise errors.Forbidden("this host name is not the studio's; open it by the address that it printed")
        origin = headers.get("origin")
        if origin is not None and urlsplit_host(origin) != headers["host"].lower():
            raise errors.Forbidden(f"requests from {origin[:100]} are not answered")
        if headers.get("sec-fetch-site") == "cross-site" and scope["path"].startswith("/api"):
            raise errors.Forbidden("requests from other sites are not answered")
        if not self.settings.token:
            return
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else cookies.get("token", "")
        if not _same(given, self.settings.token):
            raise errors.Unauthorised("a token is needed; open the address that the studio printed")

    def _is_own(self, host: str) -> bool:
        match = LOCAL_ADDRESS.fullmatch(host.strip())
        if match is None:
            return False
        name = match["host"].strip("[]").lower()
        return not self.settings.is_local or name in (*LOOPBACK, self.settings.host)

    async def _body(self, scope: Scope, headers: dict[str, str], receive: Receive) -> Receive:
        """The body read whole, within its limit of size and time; those of archives are left to their route."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        limits, path = self.settings.limits, scope["path"]
        is_file = bool(FILES.fullmatch(path))
        _check_kind(headers, is_file)
        most = limits.archive if STREAMED.fullmatch(path) else limits.upload if is_file else limits.body
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > most:
            raise errors.TooLarge(f"{int(length):,} bytes, more than {most:,}; send less at a time")
        if STREAMED.fullmatch(path):
            return receive
        try:
            body = await asyncio.wait_for(_read(receive, most), limits.body_seconds)
        except TimeoutError as error:
            raise errors.TooLarge(f"the body took longer than {limits.body_seconds:g} s to arrive") from error
        return _replay(body, receive)


def _check_kind(headers: dict[str, str], is_file: bool) -> None:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    if is_file and kind.startswith(("multipart/", "application/x-www-form-urlencoded")):
        raise errors.Unsupported("send the file itself as the body, Content-Type: application/octet-stream")
    if not is_file and has_body and kind != "application/json":
        raise errors.Unsupported(f"a body of {kind[:60] or 'no kind'}; wanted Content-Type: application/json")


async def _read(receive: Receive, most: int) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise errors.TooLarge("the connection was closed before the body was whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise errors.TooLarge(f"more than {most:,} bytes; send less at a time")
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


class _Answer:
    """Sends on what the application answers, with the headers that every answer has."""

    def __init__(self, send: Send, cookies: dict[str, str]):
        self.send, self.cookies = send, cookies

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            known = {name.lower() for name, _ in headers}
            headers += [(_ascii(name), _ascii(value)) for name, value in HEADERS.items() if _ascii(name) not in known]
            if b"cache-control" not in known:
                headers.append((b"cache-control", b"no-store"))
            for name, value in self.cookies.items():
                text = f"{name}={value}; Path=/; Max-Age={COOKIE_YEAR}; HttpOnly; SameSite=Lax"
                headers.append((b"set-cookie", _ascii(text)))
            message = {**message, "headers": headers}
        await self.send(message)

    async def error(self, error: errors.PartimentoError) -> None:
        body = json.dumps(errors.told(error)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        headers.append((b"connection", b"close"))  # what is left of the body is not read
        start = {"type": "http.response.start", "status": errors.status_of(error), "headers": headers}
        await self(start)
        await self({"type": "http.response.body", "body": body})


def urlsplit_host(origin: str) -> str:
    """Host and port of an origin, lower case; "" where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _cookies(text: str) -> dict[str, str]:
    try:
        return {name: entry.value for name, entry in SimpleCookie(text).items()}
    except CookieError:
        return {}


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), token.encode())


def _ascii(text: str) -> bytes:
    return text.encode("latin-1", "replace")
