"""Where images go, what they are called there, and the records that travel with them."""

from proa.publish.attach import SHIPMENT, attach, attach_blob, attach_shipment, attached
from proa.publish.debug import DEBUG, attach_debug, built, has_build_id, is_debug, read_debug
from proa.publish.naming import chosen_repository, destinations, image_name, pushed_name

__all__ = [
    "DEBUG",
    "SHIPMENT",
    "attach",
    "attach_blob",
    "attach_debug",
    "attach_shipment",
    "attached",
    "built",
    "chosen_repository",
    "destinations",
    "has_build_id",
    "image_name",
    "is_debug",
    "pushed_name",
    "read_debug",
]
