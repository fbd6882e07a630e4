"""How pages are made: from templates, with the headers that keep what they show from running."""

import re
from datetime import datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from clew.display.visible import one_line
from clew.server.callers import Caller
from clew.server.served import Serving
from clew.server.web.assets import asset_url
from clew.server.web.moments import exact, from_clock, human
from clew.server.web.permissions import may_change, may_fork

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load and run: files of this server, and nothing that stands in the page."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    # With no-referrer browsers send "Origin: null" with forms, which the gate cannot tell from another site.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_HTML = "text/html"
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")

_templates = Environment(
    loader=PackageLoader("clew.server.web"),
    autoescape=True,
    undefined=StrictUndefined,
    auto_reload=False,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.globals.update(asset=asset_url, may_change=may_change, may_fork=may_fork)
_templates.filters["exact"] = exact
_templates.filters["human"] = human
_templates.filters["titled"] = lambda text: one_line(text) or "(no title)"


def page(
    served: Serving, template: str, *, status_code: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> Response[bytes]:
    """A template as the answer to a request. It also sees `caller`, who asks, and `now`, an aware datetime."""
    return rendered(
        template, served.caller, from_clock(served.clock()), status_code=status_code, headers=headers, **context
    )


def rendered(
    template: str,
    caller: Caller,
    now: datetime,
    *,
    status_code: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,
) -> Response[bytes]:
    """The same where there is no store to ask, as for errors."""
    text = _templates.get_template(template).render(caller=caller, now=now, **context)
    return Response(
        _HALF_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", text).encode(),
        status_code=status_code,
        media_type=_HTML,
        headers={**HEADERS, **(headers or {})},
    )
