"""A store as one file of JSON lines: complete, to be read by other programs, and imported back equal.

    {"type": "clew", "version": 1}
    {"type": "session", "id": …, "title": …, …}
    {"type": "checkpoint", "id": …, "session_id": …, "parent_id": …, "shared": 2, "messages": […], …}
    {"type": "piece", "number": 0, "data": BASE64, "hash": …}
    {"type": "attachment", "session_id": …, "checkpoint_id": …, "name": …, "pieces": [0], …}
    {"type": "end", "sessions": 1, "checkpoints": 1, "attachments": 1}

The fields of each line are in `clew.archive.lines`. A session comes before its checkpoints, a checkpoint after its
parent, an attachment after its checkpoint and its pieces. The conversation of a checkpoint is the first `shared`
messages of its parent's, and then its own: a long session is written once. Bytes that are the same are one piece.
Without its end an archive has broken off.
"""

from clew.archive.lines import VERSION
from clew.archive.masking import Masking
from clew.archive.reading import ArchiveReader
from clew.archive.writing import Archived, write_archive

__all__ = ["VERSION", "ArchiveReader", "Archived", "Masking", "write_archive"]
