"""`partimento studio`: the local page on which music is composed, heard and changed."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import MissingExtra


@click.command("studio")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another address opens it to a network, by token.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where it keeps music [default: your data folder].")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that compose [default: one a core, at most 4].")
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.")
def command(port: int, host: str, folder: Path | None, workers: int | None, browser: bool) -> None:
    """Open the studio: a page to compose, hear, see, change and train, on this machine alone.

    Ctrl-C ends it; all that was finished is kept. Needs FastAPI: pip install 'partimento[studio]'.

    \b
    Examples:
      partimento studio
      partimento studio --port 9000 --no-browser
      partimento studio --folder ~/music/studio --workers 1
      partimento studio --host 0.0.0.0
    """
    try:
        from ..studio import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "partimento":
            raise
        raise MissingExtra(f"the studio needs {error.name}: pip install 'partimento[studio]'") from error
    server.run(port=port, host=host, folder=folder, workers=workers or 0, browser=browser, say=click.echo)
