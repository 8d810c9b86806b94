"""A studio that runs in a thread of the test, and a small client of its JSON, of the standard library alone."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn

from partimento.studio.app import create
from partimento.studio.server import bound
from partimento.studio.settings import Limits, Settings

PATIENCE = 120.0  # seconds for anything


class Client:
    """Asks a studio at a port; a visitor of its own where `visitor` is given."""

    def __init__(self, port: int, visitor: str = ""):
        self.port = port
        self.headers = {"cookie": f"visitor={visitor}"} if visitor else {}

    def raw(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None):
        """(status, headers, body) of a request that is sent as it is."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            line.putrequest(method, path, skip_host="host" in (headers or {}), skip_accept_encoding=True)
            sent = {"content-length": str(len(body)), **self.headers, **(headers or {})}
            for name, value in sent.items():
                line.putheader(name, value)
            line.endheaders(body or None)
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            line.close()

    def ask(self, method: str, path: str, body: Any = None, *, file: bytes | None = None, **headers: str) -> tuple:
        """(status, JSON) of a request with a JSON body, or a file."""
        kind = "application/json" if file is None else "application/octet-stream"
        data = file if file is not None else json.dumps(body).encode() if body is not None else b""
        more = {"content-type": kind} if data else {}
        status, _, answer = self.raw(method, path, data, more | headers)
        return status, json.loads(answer)

    def events(self, job: str, after: int = 0) -> Iterator[tuple[int, str, dict]]:
        """(number, name, data) of a job's events as they come."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            line.request("GET", f"/api/jobs/{job}/events", headers={"last-event-id": str(after), **self.headers})
            answer, known = line.getresponse(), {}
            for row in iter(answer.readline, b""):
                name, _, value = row.decode().rstrip("\n").partition(": ")
                known[name] = value
                if name == "data":
                    yield int(known["id"]), known["event"], json.loads(value)
        finally:
            line.close()

    def begin(self, kind: str, **asked: Any) -> str:
        status, job = self.ask("POST", f"/api/jobs/{kind}", asked)
        assert status == 202, job
        return job["id"]

    def job(self, kind: str, **asked: Any) -> list[tuple[str, dict]]:
        """All events of a new job."""
        return [(name, data) for _, name, data in self.events(self.begin(kind, **asked))]


class Running:
    """A studio in a thread, on a free port; ended with `close`."""

    def __init__(self, folder: Path, *, workers: int = 1, token: str = "", **limits: Any):
        listener = bound("127.0.0.1", 0)
        self.port = listener.getsockname()[1]
        try:
            self.app = create(Settings(folder, "127.0.0.1", self.port, token, workers, Limits(**limits)))
        except BaseException:
            listener.close()
            raise
        config = uvicorn.Config(self.app, log_level="error", lifespan="on", ws="none", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)
        self.thread.start()
        until = time.monotonic() + PATIENCE
        while not self.server.started:
            assert self.thread.is_alive() and time.monotonic() < until, "the studio does not start"
            time.sleep(0.01)

    def client(self, visitor: str = "") -> Client:
        return Client(self.port, visitor)

    def close(self) -> None:
        self.server.should_exit = True
        self.thread.join(PATIENCE)


def wait_ready(client: Client) -> None:
    """Until a child can compose."""
    until = time.monotonic() + PATIENCE
    while not client.ask("GET", "/api/status")[1]["ready"]:
        assert time.monotonic() < until, "no child becomes ready"
        time.sleep(0.05)
