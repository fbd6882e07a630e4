"""The numbers to reach. All are ratios: what a thing costs against another thing measured in the same run."""

import msgspec


def shown_ratio(ratio: float, digits: int = 2) -> str:
    """A ratio: as a fraction where it is small."""
    return f"1/{1 / ratio:,.0f}" if 0 < ratio < 0.1 else f"{ratio:,.{digits}f} ×"


class Target(msgspec.Struct, frozen=True):
    """`what` against `against` is at most `bound`, or at least where `at_least` is set."""

    what: str
    against: str
    bound: float
    at_least: bool = False

    @property
    def text(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {shown_ratio(self.bound, 1)}"

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.bound if self.at_least else ratio <= self.bound


TARGETS = {
    "append late": Target("append 2 messages at turn 3,000", "the same at turn 10", 1.3),
    "append floor": Target("append 2 messages", "bare SQLite: the same bytes in two inserts, one transaction", 2.0),
    "size": Target("file after 1,000 turns", "JSON of the final conversation", 1.4),
    "load": Target("load 2,000 messages, decoded", "json.loads of the same bytes", 1.5),
    "tail": Target("last 20 messages of 5,000", "an append", 0.5),
    "branch": Target("branch at any point of 5,000 messages", "an append", 1.5),
    "fork": Target("fork 5,000 messages into a new session", "an append", 1.5),
    "fork append": Target("first append on such a fork", "an append", 1.5),
    "branch bytes": Target("bytes of each of 1,000 branches from one checkpoint", "of an append", 1.5),
    "full list": Target("create_checkpoint with all of 4,000 messages, 2 new", "encoding that list once", 3.0),
    "async writers": Target("64 concurrent async writers", "1 writer, checkpoints a second", 3.5, at_least=True),
    "list": Target("list_sessions(limit=20) with 100,000 sessions", "with 100", 2.0),
    "list status": Target("list_sessions(limit=20, status=…) with 100,000 sessions", "with 100", 2.0),
    "search": Target("search: median of a mix of queries among 1,000,000 messages", "20 ms", 1.0),
    "search size": Target("search: the index", "the text of the messages", 0.6),
    "search append": Target("search: append 2 messages where there is an index", "where there is none", 1.15),
    "http load": Target("HTTP: get a session of 2,000 messages", "the same from the store", 2.0),
    "postgres append floor": Target(
        "PostgreSQL: append 2 messages", "bare PostgreSQL: the same bytes in one insert of two rows, committed", 2.0
    ),
    "postgres append late": Target("PostgreSQL: append 2 messages at turn 3,000", "the same at turn 10", 1.3),
    "postgres list": Target("PostgreSQL: list_sessions(limit=20) with 100,000 sessions", "with 100", 2.0),
    "postgres list status": Target(
        "PostgreSQL: list_sessions(limit=20, status=…) with 100,000 sessions", "with 100", 2.0
    ),
    "openai append": Target("OpenAI Agents: add a turn of 2 items at 1,000 turns", "SQLiteSession", 1.0),
    "openai load": Target("OpenAI Agents: get 2,000 items", "SQLiteSession", 1.0),
    "openai tail": Target("OpenAI Agents: get the last 20 of 2,000 items", "SQLiteSession", 1.0),
    "openai branch": Target("OpenAI Agents: branch at 2,000 items", "AdvancedSQLiteSession", 0.05),
    "langgraph put": Target("LangGraph: a put at 3,000 checkpoints", "SqliteSaver", 1 / 50),
    "langgraph get": Target("LangGraph: get the newest of 3,000", "SqliteSaver", 1 / 5),
    "langgraph list": Target("LangGraph: list the newest 50 of 3,000", "SqliteSaver", 1 / 20),
    "langgraph file": Target("LangGraph: file of 3,000 checkpoints", "SqliteSaver", 1 / 500),
    "pydantic snapshot": Target("Pydantic AI: a snapshot at turn 1,000", "SqliteStepStore", 1 / 100),
    "pydantic file": Target("Pydantic AI: file of 1,000 turns", "SqliteStepStore", 1 / 50),
}


class Measured(msgspec.Struct, frozen=True):
    """What was measured for a target: `value` and `base` are in `unit`."""

    target: str
    value: float
    base: float
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.value / self.base

    @property
    def is_met(self) -> bool:
        return TARGETS[self.target].is_met(self.ratio)


class Table(msgspec.Struct, frozen=True):
    """Numbers without a target; `notes` say how they were come by, `wrong` what should not have happened."""

    title: str
    header: list[str]
    rows: list[list[str]]
    notes: str = ""
    wrong: str = ""


class Fact(msgspec.Struct, frozen=True):
    """A number that is not shown for itself, but that `bench/sizing.py` counts with."""

    name: str
    value: float


Finding = Measured | Table | Fact
