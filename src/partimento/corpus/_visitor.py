"""Asking one site for its pages and files, one at a time, as its robots.txt wants and with a pause in between."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import version
from typing import IO
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urljoin, urlsplit

from ..errors import PartimentoError
from . import _robots

AGENT = "partimento"  # the name that a robots.txt may give us
LARGEST_ROBOTS = 500 << 10  # bytes; RFC 9309 wants so many read at least
CHUNK = 1 << 14  # bytes
TRIES = 2  # of an answer that failed for a reason that may pass
SLOWEST = 10  # times the timeout: how long a whole answer may take, however steadily it drips
LONGEST_WAIT = 600.0  # seconds that a site may ask us to wait before we come another day
PASSING = (408, 425, 429, 500, 502, 503, 504)  # statuses that may be another one soon
KEPT_IN_PATHS = "/%:@!$&'()*+,;=~-._"
PORTS = {"http": 80, "https": 443}


class FetchError(PartimentoError):
    """What the network did not give; `passing` where asking again may help, after `wait` seconds."""

    def __init__(self, message: str, *, passing: bool = False, wait: float = 0.0):
        super().__init__(message)
        self.passing, self.wait = passing, wait


@dataclass(frozen=True)
class Clock:
    """Seconds, and waiting for some to pass; handed in, so that a test takes no time."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Visitor:
    """A polite reader of the site at `base`: nothing of another host, nothing that its robots.txt forbids.

    `pause` seconds lie between two requests, more where robots.txt asks for more. An answer that does not come for
    `timeout` seconds, or takes ten times as long in all, is given up.
    """

    def __init__(self, base: str, *, pause: float, timeout: float, clock: Clock):
        self.base, self.pause, self.timeout, self.clock = base, pause, timeout, clock
        self.robots: _robots.Robots | None = None
        self.ready = clock.now()  # when the next request may be made
        self.opener = request.OpenerDirector()  # by hand: the usual one would follow file: and ftp: as well
        for handler in (
            request.ProxyHandler(), request.HTTPHandler(), request.HTTPSHandler(), request.HTTPErrorProcessor(),
            request.HTTPDefaultErrorHandler(), _Redirects(self),
        ):  # fmt: skip
            self.opener.add_handler(handler)
        self.opener.addheaders = [
            ("User-Agent", f"{AGENT}/{version('partimento')} (reads MIDI files, one at a time)"),
            ("Accept-Encoding", "identity"),
        ]

    def get(self, address: str, largest: int) -> bytes:
        """What lies at an address, relative to `base` or whole, in at most `largest` bytes; raises `FetchError`."""
        self.enter()
        url = self.address(address)
        self.check(url)
        return self._tried(url, largest)

    def enter(self) -> None:
        """Read the site's robots.txt, once; raises `FetchError` where the site is out of reach."""
        if self.robots is None:
            self.robots = self._asked_robots()
            self.pause = max(self.pause, self.robots.delay)

    def address(self, address: str) -> str:
        """The whole address, without fragment; raises `FetchError` where it is not http(s) or of another host."""
        home = urlsplit(self.base)
        try:
            parts = urlsplit(urljoin(self.base, address))
            port = parts.port or PORTS.get(parts.scheme)
        except ValueError as error:
            raise FetchError(f"{address!r} is no address ({error})") from error
        if parts.scheme not in PORTS or parts.username is not None:
            raise FetchError(f"{address!r} is no plain http or https address")
        if (parts.scheme, home.scheme, port) == ("http", "https", PORTS["http"]):  # old links of a site that moved on
            parts, port = parts._replace(scheme="https", netloc=parts.hostname or ""), PORTS["https"]
        if (parts.hostname, port) != (home.hostname, home.port or PORTS[home.scheme]):
            raise FetchError(f"{parts.netloc} is another host than {home.netloc}; it is not asked")
        path, query = (quote(part, safe=KEPT_IN_PATHS + "?") for part in (parts.path or "/", parts.query))
        return parts._replace(path=path, query=query, fragment="").geturl()

    def check(self, url: str) -> None:
        """Raise `FetchError` where robots.txt forbids the address."""
        if self.robots is not None and not self.robots.allows(url):
            raise FetchError(f"{url}: robots.txt asks programs not to read it; get it by hand")

    def _asked_robots(self) -> _robots.Robots:
        try:
            text = self._tried(urljoin(self.base, "/robots.txt"), LARGEST_ROBOTS)
        except _Status as error:
            if 400 <= error.status < 500:  # there is none: everything is allowed
                return _robots.Robots()
            raise
        return _robots.parse(text.decode("utf-8", "replace"), AGENT)

    def _tried(self, url: str, largest: int) -> bytes:
        for tries_left in range(TRIES - 1, -1, -1):
            self.clock.sleep(max(0.0, self.ready - self.clock.now()))
            try:
                return self._once(url, largest)
            except FetchError as error:
                if not (error.passing and tries_left and error.wait <= LONGEST_WAIT):
                    raise
                wait = error.wait
            finally:
                self.ready = self.clock.now() + self.pause
            self.ready = max(self.ready, self.clock.now() + wait)
        raise AssertionError("the last try returns or raises")

    def _once(self, url: str, largest: int) -> bytes:
        stop = self.clock.now() + SLOWEST * self.timeout
        with _told(url), self.opener.open(url, timeout=self.timeout) as answer:
            length = int(answer.headers.get("Content-Length") or -1)
            parts, size = [], 0
            while part := answer.read(CHUNK) if max(size, length) <= largest else b"":
                parts.append(part)
                size += len(part)
                if self.clock.now() > stop:
                    raise FetchError(f"{url}: not all there after {SLOWEST * self.timeout:g} s", passing=True)
            if max(size, length) > largest:
                raise FetchError(f"{url}: more than {largest:,} bytes; it is not what it should be")
            if size < length:
                raise FetchError(f"{url}: the connection was cut after {size:,} of {length:,} bytes", passing=True)
        return b"".join(parts)


class _Status(FetchError):
    """An answer that is an error: its HTTP status."""

    def __init__(self, url: str, status: int, headers: Message):
        after = headers.get("Retry-After") or ""
        wait = float(after) if after.isdecimal() else 0.0
        known = http.client.responses.get(status, "no known status")
        super().__init__(f"{url}: the site answers {status} ({known})", passing=status in PASSING, wait=wait)
        self.status = status


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Every failure of the network as a `FetchError`."""
    try:
        yield
    except HTTPError as error:
        error.close()
        raise _Status(url, error.code, error.headers) from error
    except (URLError, http.client.HTTPException, OSError, ValueError) as error:
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise FetchError(f"{url}: the site cannot prove who it is ({cause.verify_message})") from error
        said = "no answer in time" if isinstance(cause, TimeoutError) else f"{cause}" or type(cause).__name__
        raise FetchError(f"{url}: {said}; check the network, or try again later", passing=True) from error


class _Redirects(request.HTTPRedirectHandler):
    """Follows a site to another place of its own, as far as its robots.txt goes."""

    max_redirections = 4

    def __init__(self, visitor: Visitor):
        self.visitor = visitor

    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> request.Request | None:
        try:
            url = self.visitor.address(newurl)
            self.visitor.check(url)
        except FetchError as error:
            fp.close()
            raise FetchError(f"{req.full_url}: leads away: {error}") from error
        return super().redirect_request(req, fp, code, msg, headers, url)  # type: ignore[arg-type]
