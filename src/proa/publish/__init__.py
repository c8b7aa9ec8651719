"""Where images go, what they are called there, and the records that travel with them."""

from proa.publish.attach import SHIPMENT, attach, attach_shipment, attached
from proa.publish.naming import chosen_repository, destinations, image_name, pushed_name

__all__ = [
    "SHIPMENT",
    "attach",
    "attach_shipment",
    "attached",
    "chosen_repository",
    "destinations",
    "image_name",
    "pushed_name",
]
