"""What the tests of analyze share: the projects of tests/projects/needs, built once."""

from __future__ import annotations

import pytest

import needs_projects


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, needs_projects.Built]:
    return needs_projects.build_all(tmp_path_factory.mktemp("needs"))
