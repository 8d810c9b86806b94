"""What a site's robots.txt asks of programs (RFC 9309, "Robots Exclusion Protocol", and the older Crawl-delay)."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

EVERYBODY = "*"


@dataclass(frozen=True)
class Robots:
    """The rules for one program: (allowed, pattern of a path) each, and the seconds wanted between two requests."""

    rules: tuple[tuple[bool, str], ...] = ()
    delay: float = 0.0

    def allows(self, url: str) -> bool:
        """Whether the address may be asked for: the longest pattern that fits decides, an allowance before a ban."""
        parts = urlsplit(url)
        path = unquote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        fitting = [(len(pattern), allowed) for allowed, pattern in self.rules if fits(pattern, path)]
        return max(fitting, default=(0, True))[1]


def parse(text: str, agent: str) -> Robots:
    """The rules that the text has for `agent`, else those for everybody; lines that make no sense are passed over."""
    groups: dict[str, list[tuple[str, str]]] = {}
    names: list[str] = []
    heading = False  # the line before named a program too: both head one group
    for line in text.splitlines():
        field, colon, value = (part.strip() for part in line.partition("#")[0].partition(":"))
        if not colon:
            continue
        field = field.lower()
        if field == "user-agent":
            names = [*(names if heading else ()), value.lower()]
            groups.setdefault(value.lower(), [])
        elif field in ("allow", "disallow", "crawl-delay"):
            for name in names:
                groups[name].append((field, value))
        heading = field == "user-agent"
    return _robots(groups.get(agent.lower(), groups.get(EVERYBODY, [])))


def _robots(lines: list[tuple[str, str]]) -> Robots:
    rules = tuple((field == "allow", unquote(value)) for field, value in lines if field != "crawl-delay" and value)
    delays = [value for field, value in lines if field == "crawl-delay" and value.replace(".", "", 1).isdecimal()]
    return Robots(rules, max(map(float, delays), default=0.0))


def fits(pattern: str, path: str) -> bool:
    """Whether a path begins with the pattern, in which `*` is anything and `$` at the end is the path's end."""
    whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at, last = len(first), rest.pop() if rest else None
    for part in rest:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    if last is None:
        return not whole or at == len(path)
    return path.endswith(last) and at + len(last) <= len(path) if whole else path.find(last, at) >= 0
