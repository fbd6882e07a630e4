"""What the tests of the exports share."""

from collections.abc import Iterator

import pytest
from tests.copying.stores import open_file

from clew import Store
from clew.testing import Clock


@pytest.fixture
def store() -> Iterator[Store]:
    with open_file(None, Clock(tick=1_000)) as opened:
        yield opened
