"""A session: one step of it as a conversation, with its tree beside it."""

from typing import Any, NamedTuple
from uuid import UUID

from litestar import Controller, Request, Response
from litestar.params import FromPath, FromQuery

from clew.display.blocks import MAX_OUTPUT_CHARS, MAX_WHOLE_CHARS, image_of, pretty, whole
from clew.display.conversation import read
from clew.display.visible import one_line, visible
from clew.errors import CorruptStateError, InvalidRequestError, NotFoundError
from clew.model import CheckpointSummary, SessionSummary
from clew.server.served import Served, Serving, get
from clew.server.web.addresses import StepAddress
from clew.server.web.attached import listed
from clew.server.web.notices import notice_of
from clew.server.web.pages import page
from clew.server.web.raw import download, picture
from clew.server.web.tree import read_tree
from clew.server.web.windows import WINDOW, Window, read_window

MAX_TREE_AT_ONCE = 1_000
"""The steps of a session whose tree comes with the page; a larger one comes after it."""


class Found(NamedTuple):
    """A session and a step of it, as far as they can be read; `damage` is what cannot."""

    session: SessionSummary | None
    step: CheckpointSummary | None
    address: StepAddress
    damage: list[str]

    @property
    def active(self) -> UUID | None:
        """The active step."""
        return None if self.session is None else self.session.active_checkpoint_id

    @property
    def title(self) -> str:
        """The title in one line."""
        if self.session is None:
            return "Damaged session"
        return one_line(self.session.title) or "(no title)"

    @property
    def label(self) -> str:
        """The label of the step in one line."""
        return "" if self.step is None else one_line(self.step.label or "")


class SessionPages(Controller):
    """The pages of a session, and what they are made of piece by piece."""

    path = "/sessions/{session_id:uuid}"

    @get()
    def show_session(
        self,
        served: Served,
        session_id: FromPath[UUID],
        start: FromQuery[int | None] = None,
        notice: FromQuery[str] = "",
    ) -> Any:
        """The active step; `notice` names what has just been done."""
        return _page(served, find(served, session_id), start, notice)

    @get("/steps/{checkpoint_id:uuid}")
    def show_step(
        self,
        served: Served,
        session_id: FromPath[UUID],
        checkpoint_id: FromPath[UUID],
        start: FromQuery[int | None] = None,
        notice: FromQuery[str] = "",
    ) -> Any:
        """Any step; `start` is the number of the first message shown."""
        return _page(served, find(served, session_id, checkpoint_id), start, notice)

    @get("/steps/{checkpoint_id:uuid}/messages")
    def show_messages(
        self,
        served: Served,
        session_id: FromPath[UUID],
        checkpoint_id: FromPath[UUID],
        start: FromQuery[int],
        stop: FromQuery[int],
        side: FromQuery[str] = "",
    ) -> Any:
        """The messages from `start` to `stop`, for a page that has those before (`side` "later") or after them."""
        found = find(served, session_id, checkpoint_id)
        window = read_window(served.store, checkpoint_id, _count(found), start, stop)
        return page(served, "window.html", address=found.address, window=window, side=side)

    @get("/steps/{checkpoint_id:uuid}/messages/{message:int}/parts/{part:int}")
    def show_part(
        self,
        request: Request[Any, Any, Any],
        served: Served,
        session_id: FromPath[UUID],
        checkpoint_id: FromPath[UUID],
        message: FromPath[int],
        part: FromPath[int],
        as_file: FromQuery[bool] = False,
    ) -> Any:
        """A text of a message in full, or a picture that stands in it."""
        found = find(served, session_id, checkpoint_id)
        bodies = served.store.get_messages(checkpoint_id, start=message - 1, stop=message) if message > 0 else []
        leaves = read(bodies[0])[1] if bodies else []
        if not 0 <= part < len(leaves):
            raise NotFoundError(f"message {message} has no part {part}")
        leaf = leaves[part]
        if leaf.form == "image":
            image = image_of(leaf.value)
            if image is None:
                raise NotFoundError(f"part {part} of message {message} is a damaged picture")
            return picture(*image)
        if as_file:
            return download(_utf8(leaf.value), f"message-{message}-{part}.txt", "text/plain; charset=utf-8")
        template = "part.html" if "HX-Request" in request.headers else "part_page.html"
        return page(
            served, template, found=found, address=found.address, text=whole(leaf)._replace(number=part),
            number=message, start=max(1, message - WINDOW // 2), max_chars=MAX_WHOLE_CHARS,
        )  # fmt: skip

    @get("/tree")
    def show_tree(
        self,
        request: Request[Any, Any, Any],
        served: Served,
        session_id: FromPath[UUID],
        step: FromQuery[UUID | None] = None,
        row: FromQuery[int | None] = None,
        run: FromQuery[UUID | None] = None,
    ) -> Any:
        """The steps of the session."""
        if row is not None and row < 0:
            raise InvalidRequestError("row must not be negative")
        found = find(served, session_id, step)
        tree = read_tree(served, found.address, found.active, row=row, run=run)
        template = "tree.html" if "HX-Request" in request.headers else "tree_page.html"
        return page(served, template, found=found, address=found.address, tree=tree)


def find(served: Serving, session_id: UUID, checkpoint_id: UUID | None = None) -> Found:
    """A session and a step of it, the active one unless told otherwise. What is damaged is said and hides nothing else.

    NotFoundError where the session has no such step.
    """
    damage = []
    session = step = None
    try:
        session = served.store.get_session_summary(session_id)
        damage += [session.damage] if session.damage else []
    except CorruptStateError as error:
        damage.append(error.message)
    chosen = checkpoint_id or (None if session is None else session.active_checkpoint_id)
    if chosen is not None:
        try:
            step = served.store.get_checkpoint_summary(chosen)
        except CorruptStateError as error:
            damage.append(error.message)
        if step is not None and step.session_id != session_id:
            raise NotFoundError(f"session {session_id} has no step {chosen}")
    return Found(session, step, StepAddress(session_id, chosen), [one_line(text, 500) for text in damage])


def _page(served: Serving, found: Found, start: int | None, notice: str) -> Response[Any]:
    total = _count(found)
    first = max(1, total - WINDOW + 1 if start is None else start)
    if start is not None and start > max(total, 1):
        raise NotFoundError(f"there is no message {start:,}: there are {total:,}")
    window = Window([], 1, 0, 0)
    if found.step is not None:
        window = read_window(served.store, found.step.id, total, first, first + WINDOW - 1)
    waits = found.session is not None and found.session.checkpoint_count > MAX_TREE_AT_ONCE
    return page(
        served,
        "session.html",
        found=found,
        address=found.address,
        window=window,
        side="",
        opens_at_end=start is None and window.earlier is not None,
        notice=notice_of(served, found.session, notice),
        facts=_facts(found.session),
        tree=None if waits else read_tree(served, found.address, found.active),
        attachments=listed(served.store, found.address),
    )


class Facts(NamedTuple):
    """What else is known of a session, as text."""

    cwd: str
    source: str
    owner: str
    metadata: str


def _facts(session: SessionSummary | None) -> Facts:
    if session is None:
        return Facts("", "", "", "")
    return Facts(
        one_line(session.cwd or "", 300),
        one_line(f"{session.source} {session.source_id}" if session.source else ""),
        one_line(session.owner or ""),
        _beginning(visible(pretty(session.metadata))) if session.metadata else "",
    )


def _beginning(text: str) -> str:
    return text if len(text) <= MAX_OUTPUT_CHARS else f"{text[:MAX_OUTPUT_CHARS]}…\n({len(text):,} characters)"


def _count(found: Found) -> int:
    return 0 if found.step is None else found.step.message_count


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")
