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
        return self._backend.verify(progress)

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
        unless `overwrite`.
        """
        return self._backend.backup(checks.path(path), overwrite=overwrite, verify=verify, report=progress)

    def compact(self, *, progress: Report | None = None) -> Compaction:
        """Give back the space of what has been deleted, purged or replaced. Readers go on; writers wait for the end.

        UnavailableError where a reader kept the old bytes from being cut off until the time limit: the store is compact
        all the same, and its files shrink once that reader is done.
        """
        return self._backend.compact(progress)

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
        status that have not changed for `inactive_longer_than`; never any of the `keep_last` sessions that changed
        last, which alone, without an age, plans to purge all the others. Of the sessions that stay, `keep_checkpoints`
        plans to delete all checkpoints but the last ones written, those that have a label, and the active one.
        InvalidRequestError where no rule is given.
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

        A session that has changed since the plan was made is left alone, and told in the result.
        """
        return pruning.apply(self._backend, checks.prune_plan(plan), self._clock)
