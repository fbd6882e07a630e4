"""The web page: what stands in the store, for people with a browser."""

from litestar import Router
from litestar.exceptions import HTTPException

from clew.errors import StorageError
from clew.server.web.actions import ActionRoutes
from clew.server.web.assets import AssetRoutes
from clew.server.web.attached import AttachedRoutes
from clew.server.web.compare import ComparePages
from clew.server.web.export import ExportRoutes
from clew.server.web.failures import on_any_error, on_http_error, on_storage_error
from clew.server.web.listing import ListRoutes
from clew.server.web.login import LoginRoutes
from clew.server.web.session import SessionPages

PAGES = [
    ActionRoutes,
    AssetRoutes,
    AttachedRoutes,
    ComparePages,
    ExportRoutes,
    ListRoutes,
    LoginRoutes,
    SessionPages,
]

WEB = [
    Router(
        path="/",
        route_handlers=PAGES,
        include_in_schema=False,
        exception_handlers={StorageError: on_storage_error, HTTPException: on_http_error, Exception: on_any_error},
    )
]

__all__ = ["WEB"]
