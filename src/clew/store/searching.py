"""The method of a store that searches."""

import os
from datetime import datetime

from clew import checks, limits
from clew.backend import MessageSearch, Report
from clew.ids import to_optional_id
from clew.model import Page, SearchHit, SessionStatus
from clew.store.base import Id
from clew.store.watching import WatchMethods
from clew.times import to_micros


class SearchMethods(WatchMethods):
    """Finding messages by what they say."""

    def update_search_index(self, *, progress: Report | None = None) -> None:
        """Index what was written since the last search, so that the next one need not.

        Every search does that by itself: this is for who has written very much and wants to see how far it has come,
        which `progress` is told; over HTTP it is not. Others read and write meanwhile. A read-only store has nothing
        to do.
        """
        self._backend.update_search_index(checks.optional_report(progress))

    def search(
        self,
        query: str,
        *,
        session_id: Id | None = None,
        role: str | None = None,
        tool: str | None = None,
        cwd: str | os.PathLike[str] | None = None,
        source: str | None = None,
        owner: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        status: SessionStatus | str | None = SessionStatus.ACTIVE,
        limit: int = limits.DEFAULT_HITS,
        cursor: str | None = None,
    ) -> Page[SearchHit]:
        """Messages of every session, branch and checkpoint that say something, the best first.

        All words must be there, without differences of case and diacritics. `"a phrase"` is words in a row, `pre*` how
        a word begins, `a OR b` either, `NOT a` or `-a` what must not be there, `( )` a group. Whatever else is typed is
        words: nothing is a syntax error, and a query without a word to look for finds nothing. Texts, tool calls and
        what came of them are searched; bytes that are written as text are not.

        A filter that is None lets everything through. `role` and `tool` (called, or answering) are of the message,
        `session_id`, `cwd`, `source`, `owner` and `status` of its session, `since` and `until` (not included) of the
        checkpoint that first has it. A message that forks and copies share is one hit: see `SearchHit`.

        What was written before the call is found. The page's `next_cursor` leads to the next one, with the same query
        and filters: no message comes twice and none is left out, whatever is written or deleted meanwhile. What is
        written after the first page is not on those that follow. The first search after much was written takes its
        time, because it indexes that; others read and write meanwhile.
        """
        checks.page(limit, 0, cursor)
        return self._backend.search(
            MessageSearch(
                text=checks.query(query),
                limit=limit,
                cursor=cursor,
                session_id=to_optional_id(session_id, "session_id"),
                role=checks.optional_name(role, "role"),
                tool=checks.optional_name(tool, "tool"),
                cwd=checks.optional_cwd(cwd),
                source=checks.optional_source(source),
                owner=checks.optional_owner(owner),
                since=None if since is None else to_micros(since, "since"),
                until=None if until is None else to_micros(until, "until"),
                status=checks.optional_status(status),
            )
        )
