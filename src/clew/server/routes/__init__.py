"""The routes, in a module for each thing they are about."""

from clew.server.routes.attachments import AttachmentRoutes, ManyAttachments
from clew.server.routes.changes import ChangeRoutes
from clew.server.routes.checkpoints import CheckpointRoutes, ManyCheckpoints
from clew.server.routes.health import HealthRoutes
from clew.server.routes.keys import KeyRoutes
from clew.server.routes.maintenance import MaintenanceRoutes
from clew.server.routes.metrics import MetricsRoutes
from clew.server.routes.searching import SearchRoutes
from clew.server.routes.sessions import SessionRoutes
from clew.server.routes.trees import TreeRoutes

ROUTES = [
    AttachmentRoutes,
    ChangeRoutes,
    CheckpointRoutes,
    HealthRoutes,
    KeyRoutes,
    MaintenanceRoutes,
    ManyAttachments,
    ManyCheckpoints,
    MetricsRoutes,
    SearchRoutes,
    SessionRoutes,
    TreeRoutes,
]
