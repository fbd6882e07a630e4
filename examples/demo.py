"""From an agent's own database to clew and on: import, look, go on, rewind, fork, back up. Run it with `make demo`.

Everything happens in a temporary folder. The agent's database is made up, but it has the size and the form that the
Stakpak agent leaves behind: the whole conversation in every checkpoint. Its sentences are words drawn by lot. What is
in the store afterwards is compared with what was in that database; the exit code is 1 where anything differs.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import clew

# The generator of agent databases belongs to the tests of this checkout.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.stakpak_databases import Database, Shape, write_database

AGENT_DB = "local.db"
CLEW_DB = "clew.db"
SHAPE = Shape(sessions=22, turns=64, message_bytes=1000, trees=False)


class DemoError(Exception):
    """Something is not as it should be."""


def main() -> int:
    """Run the demo; the exit code."""
    with tempfile.TemporaryDirectory(prefix="clew-demo-") as folder:
        try:
            demo(Path(folder))
        except (DemoError, clew.StorageError) as error:
            print(f"\nThe demo failed: {error}", file=sys.stderr)
            return 1
    return 0


def demo(folder: Path) -> None:
    """Every step, in the order in which somebody would take them."""
    agent = make_agent_database(folder)
    import_it(folder, agent)
    look_at_it(folder)
    with clew.open(folder / CLEW_DB) as store:
        compare(store, agent)
        session = go_on(store)
        rewind(store, session)
        fork(store, session)
        label(store, session)
    see_the_tree(folder, session)
    keep_it_safe(folder)
    print(f"\nAll of it is in one file of {size(folder / CLEW_DB)}.")


def make_agent_database(folder: Path) -> Database:
    """Step 1."""
    title("1. An agent has been at work for some weeks")
    database = write_database(folder / AGENT_DB, shape=SHAPE)
    print(
        f"{len(database.sessions)} sessions of {longest(database)} messages, {len(database.checkpoints):,} checkpoints"
    )
    print(
        f"its database: {AGENT_DB}, {size(folder / AGENT_DB)}, because every checkpoint repeats the whole conversation"
    )
    return database


def import_it(folder: Path, agent: Database) -> None:
    """Step 2."""
    title("2. Import it")
    with timed("import"):
        shell(folder, "import", "stakpak", AGENT_DB)
    before, after = (folder / AGENT_DB).stat().st_size, (folder / CLEW_DB).stat().st_size
    print(f"{CLEW_DB}: {size(folder / CLEW_DB)}, one part in {before / after:.0f} of {size(folder / AGENT_DB)}")
    print("\nA second import brings only what is new, here nothing:")
    with timed("import again"):
        shell(folder, "import", "stakpak", AGENT_DB)


def look_at_it(folder: Path) -> None:
    """Step 3."""
    title("3. Look at it")
    shell(folder, "list", "--status", "active", "--limit", "4")
    with clew.open(folder / CLEW_DB, read_only=True) as store:
        session_id = newest_session(store).id
    print()
    shell(folder, "show", str(session_id), "--limit", "1")


def compare(store: clew.Store, agent: Database) -> None:
    """Step 4."""
    title("4. Compare every checkpoint with the agent's own")
    for session in agent.sessions:
        for checkpoint in session.checkpoints:
            state = store.get_checkpoint(checkpoint.id).state
            check(state.messages == checkpoint.messages, f"checkpoint {checkpoint.id} has other messages")
            check(state.metadata == checkpoint.metadata, f"checkpoint {checkpoint.id} has other metadata")
        active = store.get_active_checkpoint(session.id)
        check(str(active.id) == session.newest.id, f"session {session.id} does not resume from its newest checkpoint")
    print(f"{len(agent.checkpoints):,} checkpoints: every message and all metadata are the same")


def go_on(store: clew.Store) -> clew.SessionSummary:
    """Step 5."""
    title("5. Go on with a session")
    session = newest_session(store)
    before = count(store, session)
    with timed("append 2 messages"):
        store.append(
            session.id,
            [
                {"role": "user", "content": "And the certificates?"},
                {"role": "assistant", "content": "They expire in 9 days. I will renew them."},
            ],
        )
    print(f"{session.title}: {before} messages before, {count(store, session)} now")
    check(count(store, session) == before + 2, "an append did not add its two messages")
    return session


def rewind(store: clew.Store, session: clew.SessionSummary) -> None:
    """Step 6."""
    title("6. Rewind it by ten checkpoints and go another way")
    checkpoints = store.list_checkpoints(session.id, limit=10_000).items
    newest, earlier = checkpoints[-1], checkpoints[-11]
    with timed("rewind"):
        store.set_active_checkpoint(session.id, earlier.id)
    branch = store.append(session.id, [{"role": "user", "content": "Leave the certificates alone."}])
    print(
        f"{newest.message_count} messages before, {earlier.message_count} after, {count(store, session)} on the branch"
    )
    difference = store.diff(newest.id, branch.id)
    print(
        f"the way before and the branch: {difference.common} messages in common, "
        f"{len(difference.only_a)} and {len(difference.only_b)} of their own"
    )
    check(branch.parent_id == earlier.id, "the branch does not begin where the session was rewound to")
    check(len(store.get_messages(newest.id)) == newest.message_count, "the way before the rewind has lost messages")


def fork(store: clew.Store, session: clew.SessionSummary) -> None:
    """Step 7."""
    title("7. Fork it into a session of its own")
    with timed(f"fork {count(store, session)} messages"):
        forked = store.fork_session(session.id, title="Renew the certificates")
    store.append(forked.id, [{"role": "user", "content": "Go ahead."}])
    print(f"{session.title}: {count(store, session)} messages; {forked.title}: {count(store, forked)} messages")
    check(count(store, forked) == count(store, session) + 1, "the fork does not go on from where it was made")


def label(store: clew.Store, session: clew.SessionSummary) -> None:
    """Step 8."""
    title("8. Give a step a name, and keep a picture beside it")
    step = store.get_active_checkpoint(session.id)
    picture = clew.Attachment(b"\x89PNG" + bytes(500_000), content_type="image/png")
    with timed("attach 500 KB"):
        store.attach(session.id, {"dashboard.png": picture}, checkpoint_id=step.id)
    store.set_label(step.id, "before-the-renewal")
    later = store.append(session.id, [{"role": "user", "content": "As in the picture."}], attachments={
        "dashboard.png": clew.SAME,
    })  # fmt: skip
    found = store.get_attachments([step.id, later.id])
    check(
        [found[id]["dashboard.png"] == picture for id in found] == [True, True], "the picture is not beside both steps"
    )
    check(store.find_checkpoint(session.id, "before-the-renewal").id == step.id, "the label does not lead to its step")
    print("the picture is beside two checkpoints, and stored once")


def see_the_tree(folder: Path, session: clew.SessionSummary) -> None:
    """Step 9."""
    title("9. See where the session went")
    shell(folder, "tree", str(session.id), "--limit", "5")


def keep_it_safe(folder: Path) -> None:
    """Step 10."""
    title("10. Check everything, and make a backup")
    with timed("verify"):
        shell(folder, "verify")
    with timed("backup"):
        shell(folder, "backup", "backup.db")
    with clew.open(folder / CLEW_DB) as store, clew.open(folder / "backup.db") as backup:
        check(store.list_sessions().items == backup.list_sessions().items, "the backup holds something else")


# ------------------------------------------------------------------------------------------------------------ helpers


def shell(folder: Path, *arguments: str) -> None:
    """Run the command line as somebody would type it, in the demo's folder."""
    print(f"$ clew --store {CLEW_DB} {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "clew", "--store", CLEW_DB, *arguments]
    result = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    print(result.stdout, end="")
    check(result.returncode == 0, f"clew {arguments[0]} failed: {result.stderr}")


def newest_session(store: clew.Store) -> clew.SessionSummary:
    """The session that was changed last, deleted ones left out."""
    return store.list_sessions(limit=1, status="ACTIVE").items[0]


def count(store: clew.Store, session: clew.Session | clew.SessionSummary) -> int:
    """How many messages the session has now."""
    return len(store.get_active_checkpoint(session.id).state.messages)


def longest(agent: Database) -> int:
    """The number of messages of the longest conversation."""
    return max(len(checkpoint.messages) for checkpoint in agent.checkpoints)


def check(holds: bool, problem: str) -> None:
    """Stop the demo where something does not hold."""
    if not holds:
        raise DemoError(problem)


def title(text: str) -> None:
    print(f"\n{text}\n{'-' * len(text)}")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print how long it took."""
    began = time.perf_counter()
    yield
    print(f"({what}: {(time.perf_counter() - began) * 1000:,.1f} ms)")


def size(path: Path) -> str:
    """A file's size as text."""
    return f"{path.stat().st_size / 1e6:,.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
