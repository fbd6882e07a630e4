"""The promises of writing the steps of an imported session."""

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.importers.imported import leaves, only_session, texts

import clew
from clew import limits
from clew.importers import chat, raw
from clew.importers.records import Record
from clew.importers.steps import Loose, Step
from clew.importers.writing import TreeWriter

Tree = list[Step | Loose]


@pytest.fixture
def store() -> Iterator[clew.Store]:
    with clew.open(":memory:") as opened:
        yield opened


def step(key: str, parent: str | None, *said: str, role: str = "user", **more: Any) -> Step:
    messages = [chat.message(role, text) for text in said]
    return Step(key=key, parent=parent, messages=messages, records=[Record(hash(key) % 10**9, key.encode())], **more)


def write(store: Any, tree: Tree, active: str | None = None, *, dry_run: bool = False) -> TreeWriter:
    """Write a tree as an import does, and make its last step the active one."""
    writer = TreeWriter(store, "toy", "s", "/s.toy", dry_run=dry_run)
    if not dry_run:
        session = store.ensure_session("toy", "s", "s", checkpoint_id=writer.root_id)
        writer.open(session.id)
    for item in tree:
        writer.add(item)
    head = writer.finish(active)
    if not dry_run:
        store.set_active_checkpoint(only_session(store).id, head)
    return writer


def paths(tree: Tree) -> dict[str, list[str]]:
    """What leads to every step, by its key."""
    said: dict[str | None, list[str]] = {None: []}
    for item in tree:
        if isinstance(item, Step):
            before = [] if item.restarts else said[item.parent]
            said[item.key] = before + texts(item.messages)
    return {key: path for key, path in said.items() if key is not None}


def ends(tree: Tree) -> list[list[str]]:
    """What every branch says that ends with a message."""
    steps = [item for item in tree if isinstance(item, Step)]
    parents = {item.parent for item in steps}
    return [paths(tree)[item.key] for item in steps if item.messages and item.key not in parents]


def there(store: clew.Store) -> set[tuple[str, ...]]:
    """What every checkpoint says."""
    return {tuple(texts(store.get_messages(item.id))) for item in store.list_checkpoints(only_session(store).id).items}


def active(store: clew.Store) -> list[str]:
    id = only_session(store).active_checkpoint_id
    return [] if id is None else texts(store.get_messages(id))


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    tree: Tree = []
    keys: list[str | None] = [None]
    for number in range(draw(st.integers(1, 9))):
        if draw(st.integers(0, 5)) == 0:
            tree.append(Loose([Record(1_000 + number, b"loose")]))
        # Mostly one goes on from the last one, as sessions do.
        parent = keys[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(keys))
        said = [f"{number}.{part}" for part in range(draw(st.sampled_from([0, 1, 1, 1, 2])))]
        role = draw(st.sampled_from(["user", "assistant", "tool"]))
        label = f"L{number}" if draw(st.integers(0, 5)) == 0 else None
        tree.append(step(str(number), parent, *said, role=role, label=label, restarts=draw(st.integers(0, 7)) == 0))
        keys.append(str(number))
    return tree


class KilledError(Exception):
    """The process is gone."""


class Mortal:
    """A store that does so many writes and then no more."""

    def __init__(self, store: clew.Store, writes: int) -> None:
        self._store = store
        self._left = writes

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        return method if name.startswith(("get", "list", "find")) else lambda *a, **k: self._do(method, *a, **k)

    def _do(self, method: Any, *arguments: Any, **named: Any) -> Any:
        self._left -= 1
        if self._left < 0:
            raise KilledError
        return method(*arguments, **named)


class TestTheSameTree:
    @given(trees(), st.data())
    @settings(max_examples=40, deadline=None)
    def test_is_there_however_it_came(self, tree: Tree, data: st.DataObject) -> None:
        last = data.draw(st.sampled_from([item.key for item in tree if isinstance(item, Step)]))
        with clew.open(":memory:") as whole, clew.open(":memory:") as grown:
            write(whole, tree, last)
            for end in sorted(data.draw(st.sets(st.integers(1, len(tree)), max_size=3))):
                with_kills = data.draw(st.booleans())
                for writes in range(data.draw(st.integers(0, 6)) if with_kills else 0):
                    try:
                        write(Mortal(grown, writes), tree[:end])
                    except KilledError:
                        continue
                write(grown, tree[:end])
            assert write(grown, tree, last).refused == []
            for store in (whole, grown):
                assert active(store) == paths(tree)[last]
                assert there(store) >= set(map(tuple, ends(tree)))
                assert {tuple(said) for said in leaves(store)} <= set(map(tuple, paths(tree).values())) | {()}
                assert list(store.verify()) == []
                for item in tree:
                    if isinstance(item, Step) and item.label and item.messages:
                        labelled = store.find_checkpoint(only_session(store).id, item.label)
                        assert texts(labelled.state.messages) == paths(tree)[item.key]
            assert write(grown, tree, last).created == 0

    def test_is_written_after_a_kill_at_any_write(self) -> None:
        tree: Tree = [
            step("a", None, "a"),
            step("b", "a", "b", role="assistant"),
            step("c", "a", "c"),
            step("d", "b", "d"),
        ]
        for writes in range(12):
            with clew.open(":memory:") as store:
                try:
                    write(Mortal(store, writes), tree)
                except KilledError:
                    write(store, tree)
                assert leaves(store) == [["a", "b", "d"], ["a", "c"]]

    def test_goes_on_where_an_import_has_ended_in_the_midst(self, store: clew.Store) -> None:
        tree: Tree = [step("a", None, "a"), step("b", "a", "b", role="assistant")]
        write(store, tree, "a")
        assert active(store) == ["a"]
        write(store, [*tree, step("c", "a", "c")])
        assert leaves(store) == [["a", "b"], ["a", "c"]]

    def test_comes_of_two_imports_at_once(self, tmp_path: Path) -> None:
        tree: Tree = [step("0", None, "0")]
        for number in range(1, 60):
            parent = str(number - 1 if number % 5 else number // 2)
            tree.append(step(str(number), parent, str(number), role="assistant" if number % 2 else "user"))
        failures: list[BaseException] = []

        def run(part: Tree) -> None:
            try:
                with clew.open(tmp_path / "x.db", busy_timeout=60) as own:
                    barrier.wait(60)
                    write(own, part)
            except BaseException as error:
                failures.append(error)

        clew.open(tmp_path / "x.db").close()
        barrier = threading.Barrier(3)
        threads = [threading.Thread(target=run, args=(part,)) for part in (tree, tree, tree[:33])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with clew.open(tmp_path / "x.db") as store:
            assert there(store) >= set(map(tuple, ends(tree)))
            assert there(store) <= set(map(tuple, paths(tree).values())) | {()}
            assert write(store, tree).created == 0
            assert list(store.verify()) == []


class TestSteps:
    def test_that_branch_off_in_the_midst_of_a_checkpoint_stand_beside_it(self, store: clew.Store) -> None:
        write(store, [step("a", None, "a"), step("b", "a", "b", role="assistant"), step("c", "a", "c")])
        assert leaves(store) == [["a", "b"], ["a", "c"]]

    def test_that_restart_keep_what_was_before_above_them(self, store: clew.Store) -> None:
        write(
            store,
            [step("a", None, "a"), step("r", "a", "new", restarts=True), step("b", "r", "b"), step("c", "r", "c")],
        )
        assert leaves(store) == [["new", "b"], ["new", "c"]]
        assert ("a",) in there(store)

    def test_that_restart_with_nothing_begin_an_empty_conversation(self, store: clew.Store) -> None:
        write(store, [step("a", None, "a"), step("r", "a", restarts=True), step("b", "r", "b", role="assistant")])
        assert active(store) == ["b"]

    def test_that_the_store_refuses_are_named_and_those_after_them_are_there(self, store: clew.Store) -> None:
        deep: Any = "x"
        for _ in range(limits.MAX_NESTING + 1):
            deep = [deep]
        bad = Step(key="b", parent="a", messages=[{"role": "user", "content": deep}], records=[], restarts=True)
        writer = write(store, [step("a", None, "a"), bad, step("c", "b", "c")])
        assert [where for where, _ in writer.refused] == ["step b"]
        assert active(store) == ["c"]

    def test_whose_label_is_taken_or_unfit_are_there_without_it(self, store: clew.Store) -> None:
        labels = ["L", "L", "\0", "x" * (limits.MAX_LABEL_CHARS + 1)]
        tree: Tree = [step(str(n), str(n - 1) if n else None, str(n), label=label) for n, label in enumerate(labels)]
        writer = write(store, tree)
        assert [where for where, _ in writer.mended] == ["step 1", "step 2", "step 3"]
        assert active(store) == ["0", "1", "2", "3"]

    def test_of_an_unknown_parent_go_on_from_what_came_before(self, store: clew.Store) -> None:
        write(store, [step("a", None, "a"), step("b", "nobody", "b")])
        assert active(store) == ["a", "b"]

    def test_that_are_large_are_not_put_together(self, store: clew.Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_IMPORT_GROUP_BYTES", 100)
        tree: Tree = [step("0", None, "x" * 60)]
        # Without records: several messages may come out of one of them.
        for number in range(1, 6):
            made = step(str(number), str(number - 1), "x" * 60, role="assistant")
            made.records = []
            tree.append(made)
        assert write(store, tree).created >= 3

    def test_are_counted_and_not_written_in_a_dry_run(self, store: clew.Store) -> None:
        tree: Tree = [step("a", None, "a"), step("b", "a", "b", label="L"), Loose([Record(9, b"x")])]
        dry = write(store, tree, dry_run=True)
        assert store.list_sessions().items == []
        assert write(store, tree).created == dry.created == 2


class TestRecordsOfNoStep:
    def kept(self, store: clew.Store) -> list[bytes]:
        found = []
        for checkpoint in store.list_checkpoints(only_session(store).id).items:
            for info in store.list_attachments(checkpoint.id, prefix=raw.PREFIX):
                found += [record.text for record in raw.unpack(store.get_attachment(checkpoint.id, info.name))[1]]
        return sorted(found)

    def test_are_kept_before_between_and_after_the_steps(self, store: clew.Store) -> None:
        write(store, [Loose([Record(1, b"1")]), step("a", None, "a"), Loose([Record(2, b"2")]), step("b", "a", "b")])
        write(
            store,
            [
                Loose([Record(1, b"1")]),
                step("a", None, "a"),
                Loose([Record(2, b"2")]),
                step("b", "a", "b"),
                Loose([Record(3, b"3")]),
            ],
        )
        assert self.kept(store) == [b"1", b"2", b"3", b"a", b"b"]

    def test_are_kept_in_little_memory_where_there_are_many(
        self, store: clew.Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_IMPORT_GROUP_BYTES", 100)
        many: Tree = [Loose([Record(number, b"%03d" % number * 20)]) for number in range(20)]
        writer = TreeWriter(store, "toy", "s", "/s.toy")
        for item in many:
            writer.add(item)
            assert raw.size(writer._loose) <= 100
        session = store.ensure_session("toy", "s", "s", checkpoint_id=writer.root_id)
        writer.open(session.id)
        writer.add(step("a", None, "a"))
        for number in range(20, 40):
            writer.add(Loose([Record(number, b"%03d" % number * 20)]))
        writer.finish(None)
        assert self.kept(store) == sorted([b"a", *(b"%03d" % number * 20 for number in range(40))])


def test_a_step_takes_less_than_200_bytes_of_memory(store: clew.Store) -> None:
    writer = TreeWriter(store, "toy", "s", "/s.toy", dry_run=True)
    count, parent = 3_000, None
    tracemalloc.start()
    try:
        for number in range(count):
            key = f"{number:036}"
            writer.add(step(key, parent, "x" * 40, role="assistant" if number % 2 else "user"))
            parent = key
        writer.finish(None)
        assert tracemalloc.get_traced_memory()[0] / count < 200
    finally:
        tracemalloc.stop()
