"""How soon the studio answers a click, and how it bears twenty visitors: measured over HTTP against a running server.

    python benchmarks/studio.py [--clicks 50] [--visitors 20] [--style folk chorale] [--json FILE]

First note: from the click (the request for a job) to the first note of its events. First beat: until a beat of music is
composed, which is when a page may begin to play it. Both are at the listener's end of the connection, on this machine;
what the browser then takes to draw and to sound is not in them. Memory is that of the server and all its children.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from studio_client import Client, wait_ready

BARS, CANDIDATES = 16, 4
BEAT = 24  # ticks
NOTE_GOAL, BEAT_GOAL = 0.3, 0.5  # seconds, p95


def click(client: Client, **asked) -> dict[str, float]:
    """Seconds from the request to the job's id, its first note, its first beat."""
    begin = time.perf_counter()
    job = client.begin("compose", **asked)
    found = {"job": time.perf_counter() - begin}
    for _, name, data in client.events(job):
        now = time.perf_counter() - begin
        if name == "error":
            raise SystemExit(f"a job failed: {data['error']['message']}")
        if name == "notes" and data["notes"]:
            found.setdefault("note", now)
            if max(note[2] + note[3] for note in data["notes"]) >= BEAT:
                found["beat"] = now
                break
    client.ask("POST", f"/api/jobs/{job}/stop")
    for _ in client.events(job):  # to its end, so that the next click finds the composer idle
        continue
    return found


def visit(client: Client, number: int, jobs: int, found: list[dict], lock: threading.Lock) -> None:
    """One visitor: so many jobs at once, each heard to its end."""
    begun = []
    for turn in range(jobs):
        status, answer = client.ask(
            "POST", "/api/jobs/compose", {"style": "folk", "bars": 4, "candidates": 1, "seed": turn}
        )
        begun.append((turn, time.perf_counter(), status, answer))
    for turn, since, status, answer in begun:
        end, first = "refused", None
        if status == 202:
            for _, name, _data in client.events(answer["id"]):
                first = first or (time.perf_counter() if name == "plan" else None)
                end = name
        with lock:
            found.append(
                {"visitor": number, "turn": turn, "end": end, "first": first, "waited": (first or since) - since}
            )


def memory(pid: int) -> float:
    """Resident megabytes of a process and its descendants."""
    pages = Path(f"/proc/{pid}/task/{pid}/children")
    own = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return (int(own[1]) if own else 0) / 1024 + sum(memory(int(child)) for child in pages.read_text().split())


def crowd(port: int, pid: int, visitors: int, jobs: int) -> dict:
    """All visitors at once."""
    found: list[dict] = []
    lock, begin, before = threading.Lock(), time.perf_counter(), memory(pid)
    clients = [Client(port, f"{n:032x}") for n in range(1, visitors + 1)]
    threads = [threading.Thread(target=visit, args=(client, n, jobs, found, lock)) for n, client in enumerate(clients)]
    for thread in threads:
        thread.start()
    most = before
    while any(thread.is_alive() for thread in threads):
        most = max(most, memory(pid))
        time.sleep(0.2)
    started = sorted((one for one in found if one["first"]), key=lambda one: one["first"])
    late = [n for n, one in enumerate(started) if one["turn"] == 0]
    return {
        "visitors": visitors, "jobs": len(found), "done": sum(one["end"] == "done" for one in found),
        "failed": sum(one["end"] != "done" for one in found), "seconds": round(time.perf_counter() - begin, 1),
        "memory_before_mb": round(before), "memory_most_mb": round(most), "memory_after_mb": round(memory(pid)),
        "last_first_job_started_as": max(late) + 1 if late else None,
        "first_jobs_waited_most_s": round(max(one["waited"] for one in found if one["turn"] == 0), 1),
    }  # fmt: skip


def measured(port: int, pid: int, clicks: int, styles: list[str], visitors: int) -> dict:
    client = Client(port, "f" * 32)
    wait_ready(client)
    found: dict = {"clicks": {}}
    for style in styles:
        rows = [click(client, style=style, bars=BARS, candidates=CANDIDATES, seed=n) for n in range(clicks)]
        found["clicks"][style] = {
            name: {f"p{q}": round(float(np.percentile([row[name] for row in rows], q)), 3) for q in (50, 95)}
            for name in ("job", "note", "beat")
        }
    found["crowd"] = crowd(port, pid, visitors, 2)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clicks", type=int, default=50)
    parser.add_argument("--visitors", type=int, default=20)
    parser.add_argument("--style", nargs="*", default=["folk", "chorale"])
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="studio-") as folder:
        code = "from partimento.cli import main; main()"
        line = [sys.executable, "-c", code, "studio", "--port", "0", "--no-browser", "--folder", folder]
        child = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            port = re.search(r":(\d+)/", child.stdout.readline())
            assert port is not None, "the studio does not start"
            found = measured(int(port[1]), child.pid, asked.clicks, asked.style, asked.visitors)
        finally:
            child.terminate()
            child.wait()
    for style, one in found["clicks"].items():
        print(f"{style}, {CANDIDATES} candidates of {BARS} bars, {asked.clicks} clicks (seconds):")
        for name, goal in (("job", None), ("note", NOTE_GOAL), ("beat", BEAT_GOAL)):
            aim = "" if goal is None else f"  goal {goal}: {'met' if one[name]['p95'] <= goal else 'MISSED'}"
            print(f"  first {name}: median {one[name]['p50']:.3f}, p95 {one[name]['p95']:.3f}{aim}")
    print("crowd:", json.dumps(found["crowd"]))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
