"""`python -m partimento.cli` is the `partimento` command."""

from . import main

main()
