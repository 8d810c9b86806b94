"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of training music: PARTIMENTO_DATA, else ../shared/data beside the repository; skips where absent."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("PARTIMENTO_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no music at {folder}; set PARTIMENTO_DATA")
    return folder
