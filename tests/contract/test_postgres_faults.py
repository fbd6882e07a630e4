"""The contract about statements that fail over PostgreSQL; and connections that are lost at any statement."""

import re
from collections.abc import Iterator

import pytest
from tests.contract.faults_postgres import Fault, StatementFaults, cut_after, cut_before, ended, refused, striking
from tests.support.postgres_stores import Database, open_postgres, open_store

from clew import Session, Store, UnavailableError, limits
from clew.testing import Clock, FaultContract, Faults
from clew.testing.clock import START
from clew.testing.contract.base import contents, findings
from clew.testing.faults import WRITES, Write, begun
from clew.testing.profiles import LONG

IN_TURN = ("create_session", "append", "full list with attachments", "purge", "move a label")
"""Writes of which each statement fails in turn; all do where there is time."""

FOUND_AGAIN = ("plain append", "create_session")
"""Writes with an id, by which they are looked for where nobody knows whether they were committed."""

UNKNOWN = ("purge", "move a label")
"""Writes that are not made a second time where nobody knows that."""

LOSSES = {"before": cut_before, "after": cut_after}
"""How a connection is lost at a statement."""

_ID = re.compile(r"UUID\('[0-9a-f-]{36}'\)")


class TestPostgres(FaultContract):
    @pytest.fixture
    def store(self, postgres_url: str, clock: Clock) -> Iterator[Store]:
        with open_store(postgres_url, clock) as store:
            yield store

    @pytest.fixture
    def faults(self, store: Store) -> Faults:
        return StatementFaults()

    @pytest.fixture(params=WRITES if LONG else IN_TURN)
    def write(self, request: pytest.FixtureRequest) -> Write:
        return WRITES[request.param]


class Trial:
    """One write, made again and again to a store that has the same contents each time."""

    def __init__(self, database: Database, store: Store, beside: Store, clock: Clock, name: str) -> None:
        """`store` writes; `beside` is one over the same data with connections of its own, which stay."""
        self._database = database
        self._store = store
        self._beside = beside
        self._clock = clock
        self._write = WRITES[name]

    def begin(self) -> Session:
        """Have nothing but what there is before the write."""
        self._database.empty()
        self._clock.now = START
        return begun(self._beside)[0]

    def run(self, number: int = 0, fault: Fault = cut_before) -> int | None:
        """Begin, then make the write with a fault in one of its statements: how many it took, None where it failed."""
        session = self.begin()
        with striking(number, fault) as statements:
            try:
                self._write(self._store, session)
            except UnavailableError as error:
                if "nobody knows whether the change was written" not in error.message:
                    raise
                return None
        return len(statements)

    def contents(self) -> str:
        """All that is there, with its ids told apart by nothing but where they come first. `verify` finds nothing."""
        assert findings(self._beside) == []
        known: dict[str, str] = {}
        return _ID.sub(lambda match: known.setdefault(match[0], f"<{len(known)}>"), contents(self._beside))


@pytest.fixture
def trial(name: str, postgres_database: Database, clock: Clock) -> Iterator[Trial]:
    url = postgres_database.url
    # Connections are shared by stores of the same settings. New ones are slow: those of other tests are to be spared.
    backend = open_postgres(url, busy_timeout=20)
    with Store(backend, clock=clock) as store, open_store(url, clock) as beside:
        yield Trial(postgres_database, store, beside, clock, name)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ATTACHMENT_CHUNK_BYTES", 8)


def _places(last: int) -> list[int]:
    """The numbers of some statements out of so many: of all where there is time. The last one commits."""
    return list(range(1, last + 1) if LONG else sorted({last // 2 + 1, last - 1, last} - {0}))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", [*FOUND_AGAIN, *UNKNOWN])
def test_of_a_write_whose_connection_is_lost_at_any_statement_all_is_there_or_nothing(
    trial: Trial, name: str, loss: str
) -> None:
    """It is made again, but where it may have been committed and cannot be looked for: then the error says so."""
    trial.begin()
    before = trial.contents()
    last = trial.run() or 0
    after = trial.contents()
    assert last > 0
    assert after != before
    for number in _places(last):
        returned = trial.run(number, LOSSES[loss]) is not None
        assert returned == (name in FOUND_AGAIN or number < last), number
        assert trial.contents() == (after if returned or loss == "after" else before), number


@pytest.mark.parametrize("name", [*FOUND_AGAIN, *UNKNOWN])
def test_a_write_whose_connection_the_server_ends_is_made_again(trial: Trial, name: str) -> None:
    last = trial.run() or 0
    after = trial.contents()
    assert trial.run(last - 1, ended)
    assert trial.contents() == after


@pytest.mark.parametrize("name", [*FOUND_AGAIN, *UNKNOWN])
def test_a_write_that_another_writer_was_in_the_way_of_is_made_again(trial: Trial, name: str) -> None:
    last = trial.run() or 0
    after = trial.contents()
    for number in _places(last):
        assert trial.run(number, refused("serialization_failure")), number
        assert trial.contents() == after, number
