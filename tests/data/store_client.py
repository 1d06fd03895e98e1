"""Appends events and says which were acknowledged: python store_client.py STORE PREFIX THREADS [MOST]."""

import sys
import threading
from pathlib import Path

from accord.data.store import Event, SqliteStore

store = SqliteStore(Path(sys.argv[1]))
prefix, threads = sys.argv[2], int(sys.argv[3])
most = int(sys.argv[4]) if len(sys.argv) > 4 else sys.maxsize
saying = threading.Lock()


def send(thread: int) -> None:
    for number in range(most):
        event_id = f"{prefix}-{thread}-{number}"
        store.append_events([Event(event_id, f"user{thread}", "tea")])
        with saying:
            sys.stdout.write(event_id + "\n")
            sys.stdout.flush()


senders = [threading.Thread(target=send, args=(thread,)) for thread in range(threads)]
for sender in senders:
    sender.start()
for sender in senders:
    sender.join()
store.close()
