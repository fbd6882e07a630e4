"""JSON lines: clew's own archive."""

from typing import BinaryIO

from clew.archive import write_archive
from clew.exporters.base import Exported, Exporter, Wanted
from clew.store import Store


class JsonLinesExporter(Exporter):
    """Everything that is in the store, to be imported back equal."""

    name = "jsonl"
    summary = "JSON lines: complete, imports back equal (clew import)"
    suffix = ".jsonl"
    takes_many = True

    def write(self, store: Store, wanted: Wanted, out: BinaryIO) -> Exported:
        done = write_archive(
            store,
            out,
            sessions=wanted.sessions,
            attachments=wanted.attachments,
            masking=wanted.masking,
            progress=wanted.progress,
        )
        return Exported(
            format=self.name,
            sessions=done.sessions,
            checkpoints=done.checkpoints,
            messages=done.messages,
            attachments=done.attachments,
            failed=done.failed,
        )
