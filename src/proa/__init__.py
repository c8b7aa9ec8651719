"""From Go source to the smallest image that provably runs.

``ship`` is the main job; the stages it is made of can be called alone. Everything else is reached through
the rooms (``proa.analyze``, ``proa.build``, …) and the records (``proa.records``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proa.errors import ProaError
    from proa.pipeline.ship import ship
    from proa.records.request import Request
    from proa.records.shipment import Shipment

__version__ = "0.1.0"

__all__ = ["ProaError", "Request", "Shipment", "__version__", "ship"]

_HOMES = {
    "ProaError": "proa.errors",
    "Request": "proa.records.request",
    "Shipment": "proa.records.shipment",
    "ship": "proa.pipeline.ship",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``proa --version`` starts at once."""
    import importlib

    if name not in _HOMES:
        raise AttributeError(f"module 'proa' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
