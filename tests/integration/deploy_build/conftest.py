from pathlib import Path

import pytest

from tests.support.clones import committed_copy


@pytest.fixture(scope="session")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository as it is now, in one commit. Only to be cloned."""
    return committed_copy(tmp_path_factory.mktemp("committed"))
