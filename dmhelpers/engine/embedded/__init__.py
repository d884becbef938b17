"""An engine of the course's own: installed from the distribution's packages, started, and stopped again."""

from dmhelpers.engine.embedded.control import EngineStatus, Stopped, down, status, up
from dmhelpers.engine.embedded.namespaces import Namespaces
from dmhelpers.engine.embedded.private import PrivateEngine
from dmhelpers.engine.embedded.start import dockerd_argv
from dmhelpers.engine.embedded.state import StoreChoice

__all__ = [
    "EngineStatus",
    "Namespaces",
    "PrivateEngine",
    "Stopped",
    "StoreChoice",
    "dockerd_argv",
    "down",
    "status",
    "up",
]
