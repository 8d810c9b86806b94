"""Documents and command line stay in step: what the one offers, the other describes."""

import re
from pathlib import Path

import click
import pytest

from partimento.cards import card_text
from partimento.cli import cli
from partimento.styles import described, shipped

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path.read_text("utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
EVERYTHING = "\n".join(PAGES.values())


def commands(group: click.Group, above: str = "partimento"):
    """Every command with its full name."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, f"{above} {name}")
        else:
            yield f"{above} {name}", command


COMMANDS = dict(commands(cli))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_of_its_options_is_in_the_docs(name):
    assert name in EVERYTHING
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, click.Option):
            assert any(option in EVERYTHING for option in parameter.opts), f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does_and_every_command_shows_examples(name):
    command = COMMANDS[name]
    assert "Examples" in (command.help or ""), name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts} has no help"


def test_every_option_in_the_docs_exists():
    known = {option for command in COMMANDS.values() for p in command.params for option in (*p.opts, *p.secondary_opts)}
    elsewhere = {"--help", "--version", "--json", "--extra-index-url", "--data", "--quick", "--look"}
    for page, text in PAGES.items():
        for line in re.findall(r"partimento [a-z]+ [^\n`|]*", text):
            for option in re.findall(r"--[a-z][a-z-]+", line):
                assert option in known | elsewhere, f"{page}: {line}"


def test_links_between_pages_lead_somewhere():
    for page, text in PAGES.items():
        folder = ROOT if page == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
            if not target.startswith("http"):
                assert (folder / target).exists(), f"{page}: {target}"


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGES["README.md"], re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert list(tmp_path.glob("*.mid"))


def test_the_page_of_styles_is_what_the_model_files_say():
    cards = [card_text(path, described(path)) for path in sorted(set(shipped().values()))]
    assert cards
    for card in cards:
        assert card in PAGES["styles.md"], "docs/styles.md is behind: make cards"
