"""The shortest tour of clew: write, go back, branch, list. It leaves an `agent.db` in the current folder."""

import clew

with clew.open("agent.db") as store:
    session = store.create_session("Fix the flaky test", messages=[{"role": "user", "content": "Why does CI fail?"}])
    first = store.append(session.id, [{"role": "assistant", "content": "A test reads the clock. I will freeze it."}])
    store.append(session.id, [{"role": "user", "content": "Pass the time in instead."}])

    store.set_active_checkpoint(session.id, first.id)  # go back: nothing is deleted
    fork = store.fork_session(session.id, title="Freeze the clock")  # or go on elsewhere: nothing is copied
    store.append(fork.id, [{"role": "user", "content": "Yes, freeze it."}])

    for summary in store.list_sessions():
        print(f"{summary.title}: {summary.message_count} messages")
