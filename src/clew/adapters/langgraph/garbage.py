"""Making thousands of objects without the garbage collector looking through all of a program's in between.

None of the objects of a list is garbage while it is made, but so many new ones make the collector begin, again and
again, and each time it looks at everything that the program holds: three quarters of the time of reading a long thread.
"""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 500

_mutex = threading.Lock()
_paused = 0


@contextmanager
def no_collection(objects: int) -> Iterator[None]:
    """The collector waits until the last of all threads is done with this; nothing of the sort for few objects."""
    global _paused
    if objects < MANY or not (_paused or gc.isenabled()):
        yield
        return
    with _mutex:
        _paused += 1
        gc.disable()
    try:
        yield
    finally:
        with _mutex:
            _paused -= 1
            if not _paused:
                gc.enable()
