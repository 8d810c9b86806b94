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


@pytest.fixture(scope="module")
def one_thread():
    """Small models are slower on many threads than on one."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
