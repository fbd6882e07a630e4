"""The methods of a store that look after what it holds: check, copy, prune, and give space back."""

import os
from collections.abc import Iterator
from datetime import timedelta

from clew import checks, pruning
from clew.backend import Report
from clew.reports import Backup, Compaction, Finding, Pruned, PrunePlan
from clew.store.attachments import AttachmentMethods
from clew.times import from_micros


class MaintenanceMethods(AttachmentMethods):
    """Looking after a store. Nothing is ever deleted but by `purge_session`, `delete_checkpoints` and `apply_prune`."""

    def verify(self, *, progress: Report | None = None) -> Iterator[Finding]:
        """Check everything that is stored, and yield what is wrong as it is found. Repairs nothing.

        Every message and attachment is hashed again, every timeline, parent, length, pointer, label and count checked,
        and the backend's own check of its files made. `progress` is told how far it has come. Others may write
        meanwhile.
        """
        return self._backend.verify(checks.optional_report(progress))

    def backup(
        self,
        path: str | os.PathLike[str],
        *,
        overwrite: bool = False,
        verify: bool = True,
        progress: Report | None = None,
    ) -> Backup:
        """Copy the whole store, as of one moment, into a new file (0600), while others go on writing.

        The copy is read back and checked before it appears at `path`; one in which something is wrong is
        CorruptStateError and not kept, unless `verify` is False. A file that is there already is InvalidRequestError,
        unless `overwrite`; a database that is in use with a write-ahead log is so in any case.
        """
        report = checks.optional_report(progress)
        return self._backend.backup(checks.path(path), overwrite=overwrite, verify=verify, report=report)

    def compact(self, *, progress: Report | None = None) -> Compaction:
        """Give back the space of what has been deleted, purged or replaced. Readers go on.

        Everything is written anew in one step, in which nobody else can write: writers wait for its end, or, where the
        store is large, run into their time limit (`busy_timeout`) and have to try again.

        UnavailableError where a reader kept the old bytes from being cut off until the time limit: the store is compact
        all the same, and its files shrink once that reader is done. CorruptStateError where something is damaged: the
        store is compact, and nothing was deleted of what shares content with that.
        """
        return self._backend.compact(checks.optional_report(progress))

    def plan_prune(
        self,
        *,
        deleted_longer_than: timedelta | None = None,
        inactive_longer_than: timedelta | None = None,
        keep_last: int | None = None,
        keep_checkpoints: int | None = None,
    ) -> PrunePlan:
        """What `apply_prune` would remove. Changes nothing.

        Sessions to purge: those that are deleted and have not changed for `deleted_longer_than`, and those of any
        status that have not changed for `inactive_longer_than`; never any of the `keep_last` sessions that changed last
        of those that are not deleted. Alone, without an age, `keep_last` plans to purge all the others, deleted ones
        among them. Of the sessions that stay, `keep_checkpoints` plans to delete all checkpoints but the last ones
        written, those that have a label, and the active one. A damaged session stays as it is, and counts for none of
        the last. InvalidRequestError where no rule is given.
        """
        rules = pruning.Rules(
            deleted_longer_than=checks.optional_age(deleted_longer_than, "deleted_longer_than"),
            inactive_longer_than=checks.optional_age(inactive_longer_than, "inactive_longer_than"),
            keep_last=checks.optional_count(keep_last, "keep_last"),
            keep_checkpoints=checks.optional_count(keep_checkpoints, "keep_checkpoints"),
        )
        return pruning.plan(self._backend, rules, from_micros(self._clock()))

    def apply_prune(self, plan: PrunePlan) -> Pruned:
        """Purge the sessions and delete the checkpoints of a plan. This cannot be undone.

        A session that has changed since the plan was made is left alone, and told in the result. So is a reader that
        kept the purged bytes in the write-ahead log until the time limit (`Pruned.log_held`).
        """
        return pruning.apply(self._backend, checks.prune_plan(plan), self._clock)
