"""Several processes that begin on one new file at the same moment."""

import subprocess
import sys
from pathlib import Path

from tests.adapters.google_adk.support import Service, texts

import clew

WORKERS, EVENTS = 8, 6

# Eight processes that have the framework in memory before the first of them touches the file.
SCRIPT = """
import asyncio, os, sys
from google.adk.events import Event, EventActions
from google.genai import types
from clew.adapters.google_adk import ClewSessionService

async def work(path, worker, events):
    service = ClewSessionService(path)
    session = await service.create_session(app_name="weather", user_id="ada", session_id=worker)
    for number in range(events):
        content = types.Content(role="user", parts=[types.Part(text=str(number))])
        actions = EventActions(state_delta={f"app:{worker}.{number}": number, "k": number})
        await service.append_event(session, Event(author="user", content=content, timestamp=1.0, actions=actions))
    await service.close()

path, workers, events = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
begin, go = os.pipe()
children = []
for number in range(workers):
    child = os.fork()
    if child == 0:
        os.close(go)
        os.read(begin, 1)
        status = 1
        try:
            asyncio.run(work(path, f"w{number}", events))
            status = 0
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
        os._exit(status)
    children.append(child)
os.close(go)
sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_eight_processes_that_start_on_one_new_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    command = [sys.executable, "-c", SCRIPT, str(path), str(WORKERS), str(EVENTS)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    with clew.open(path) as store:
        service = Service(store)
        assert len(service.list()) == WORKERS
        for number in range(WORKERS):
            session = service.read(f"w{number}")
            assert texts(session) == [str(event) for event in range(EVENTS)]
            assert session.state["k"] == EVENTS - 1
        shared = {key for key in service.create("after").state if key.startswith("app:")}
        assert shared == {f"app:w{worker}.{event}" for worker in range(WORKERS) for event in range(EVENTS)}
