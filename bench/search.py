"""Full text search: a query among a million messages, the size of the index, and what it costs those who write."""

import itertools
import os
import random
import statistics
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

import apsw

import clew
from bench.measure import Lab, interleaved, seconds_of
from bench.report import shown_bytes, shown_seconds
from bench.targets import Finding, Measured, Table

_VOCABULARY = 60_000
_POOL_WORDS = 4_000_000
_WORDS = (45, 230)  # of a message: 300 to 1,500 characters
_OF_SESSION = 50
_COMPARED = 50_000  # messages of the store beside it that is never searched
_LIMIT_SECONDS = 0.020
_TOOLS = ("bash", "read_file", "edit_file", "grep")
_SCALE = "CLEW_BENCH_SEARCH_MESSAGES"
"""An environment variable: how many messages there are, where a million take too long. The tables say how many."""

_INDEX = ("message_index_data", "message_index_idx", "message_index_docsize", "message_place", "indexed_timeline",
          "search_state", "family_to_index")  # fmt: skip


class Language:
    """Words as people and programs use them: few very often, most hardly ever, among them paths, names and numbers."""

    def __init__(self, pool_words: int) -> None:
        chosen = random.Random(1)
        words: dict[str, None] = {}
        while len(words) < _VOCABULARY:
            syllables = chosen.choice((1, 2, 2, 3, 3, 4))
            word = "".join(chosen.choice("bcdfghklmnprstvw") + chosen.choice("aeiou") for _ in range(syllables))
            words.setdefault(word if word not in words else f"{word}{len(words)}")
        self.words = list(words)
        weights = list(itertools.accumulate(1 / (rank + 2.7) for rank in range(_VOCABULARY)))
        self._pool = chosen.choices(self.words, cum_weights=weights, k=pool_words)
        for place in range(0, pool_words, 23):
            self._pool[place] = f"src/{chosen.choice(self.words[:2_000])}/{chosen.choice(self.words[:9_000])}.py"
        for place in range(7, pool_words, 61):
            self._pool[place] = f"{chosen.getrandbits(40):x}"
        self._random = random.Random(2)

    def text(self) -> str:
        """What one message says."""
        count = self._random.randint(*_WORDS)
        start = self._random.randrange(len(self._pool) - count)
        return " ".join(self._pool[start : start + count])

    def phrase(self, count: int) -> str:
        """Words that stand in a row somewhere."""
        start = self._random.randrange(len(self._pool) - count)
        return " ".join(self._pool[start : start + count])


class _Filled(NamedTuple):
    sessions: list[clew.Session]
    text_bytes: int


def search(lab: Lab) -> Iterator[Finding]:
    """The median of a mix of queries, the bytes of the index next to those of the text, and the time to make it."""
    messages = lab.some(int(os.environ.get(_SCALE, 1_000_000)), 20_000)
    language = Language(lab.some(_POOL_WORDS, 200_000))
    with lab.store("search", "normal") as store:
        filled = _fill(store, language, messages)
        with lab.store("search-never", "normal") as never:
            rest = _fill(never, language, min(messages, _COMPARED))
            first = seconds_of(lambda: store.search("nothing-has-this"))
            after, before = _append_seconds(lab, [(store, filled), (never, rest)], language)
        again = seconds_of(lambda: store.search("nothing-has-this"))
        rows = [_row(name, queries) for name, queries in _mix(store, language, filled).items()]
        medians = [median for _, median, _ in rows]
        size = _index_bytes(lab)
    yield Measured("search", statistics.median(medians), _LIMIT_SECONDS)
    yield Measured("search size", size, filled.text_bytes, unit="B")
    yield Measured("search append", after, before)
    yield Table(
        title=f"Search among {messages:,} messages, {shown_bytes(filled.text_bytes)} of text",
        header=["query", "median", "slowest"],
        rows=[[name, shown_seconds(median), shown_seconds(slowest)] for name, median, slowest in rows],
        notes=f"Each of 25 queries is asked once. The index was made in {shown_seconds(first)} by the first search, "
        f"{messages / first:,.0f} messages a second; the first search after 200 appends took {shown_seconds(again)}.",
    )


def _fill(store: clew.Store, language: Language, messages: int) -> _Filled:
    sessions: list[clew.Session] = []
    size = 0
    for number in range(messages // _OF_SESSION):
        talk: list[dict[str, Any]] = []
        for place in range(_OF_SESSION):
            text = language.text()
            size += len(text)
            message: dict[str, Any] = {"role": ("user", "assistant", "tool")[place % 3], "content": text}
            talk.append(message | ({"name": _TOOLS[place % 4]} if place % 3 == 2 else {}))
        session = store.create_session(f"Session {number}", messages=talk, cwd=f"/repo/{number % 100}", source="bench",
                                       source_id=str(number))  # fmt: skip
        sessions.append(session)
    return _Filled(sessions, size)


def _append_seconds(lab: Lab, stores: list[tuple[clew.Store, _Filled]], language: Language) -> list[float]:
    """The same of each store, by turns."""
    rounds = lab.some(200, 20)
    turns = iter([[{"role": "user", "content": language.text()}] * 2 for _ in range(rounds * len(stores))])

    def appends(store: clew.Store, filled: _Filled) -> Callable[[], Callable[[], object]]:
        return lambda: partial(store.append, filled.sessions[0].id, next(turns))

    return interleaved(rounds, *(appends(store, filled) for store, filled in stores))


def _mix(store: clew.Store, language: Language, filled: _Filled) -> dict[str, list[Callable[[], object]]]:
    """By what they are called, queries of one kind."""
    chosen = random.Random(3)
    rare, middle, common = language.words[20_000:], language.words[500:5_000], language.words[:50]
    now = datetime.now(UTC)

    def some(make: Callable[[], tuple[str, dict[str, Any]]]) -> list[Callable[[], object]]:
        asked = [make() for _ in range(25)]
        return [partial(store.search, query, **filters) for query, filters in asked]

    return {
        "rare word": some(lambda: (chosen.choice(rare), {})),
        "word": some(lambda: (chosen.choice(middle), {})),
        "common word": some(lambda: (chosen.choice(common), {})),
        "two words": some(lambda: (f"{chosen.choice(middle)} {chosen.choice(common)}", {})),
        "either of two": some(lambda: (f"{chosen.choice(rare)} OR {chosen.choice(middle)}", {})),
        "phrase": some(lambda: (f'"{language.phrase(2)}"', {})),
        "prefix": some(lambda: (chosen.choice(middle)[:4] + "*", {})),
        "path": some(lambda: (f"src/{chosen.choice(language.words[:2_000])}", {})),
        "word, in one session": some(
            lambda: (chosen.choice(common), {"session_id": chosen.choice(filled.sessions).id})
        ),
        "word, in one directory": some(lambda: (chosen.choice(middle), {"cwd": f"/repo/{chosen.randrange(100)}"})),
        "word, of a tool": some(lambda: (chosen.choice(middle), {"tool": "grep"})),
        "common word, of a role, lately": some(
            lambda: (chosen.choice(common), {"role": "user", "until": now, "since": datetime(2020, 1, 1, tzinfo=UTC)})
        ),
    }


def _row(name: str, queries: list[Callable[[], object]]) -> tuple[str, float, float]:
    times = [seconds_of(query) for query in queries]
    return name, statistics.median(times), max(times)


def _index_bytes(lab: Lab) -> int:
    connection = apsw.Connection(str(lab.folder / "search.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        sizes = [connection.execute("SELECT sum(pgsize) FROM dbstat WHERE name = ?", (name,)) for name in _INDEX]
        return sum(size for ((size,),) in map(list, sizes) if isinstance(size, int))
    finally:
        connection.close()
