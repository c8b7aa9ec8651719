"""Put a program into an image, and take an image apart again; no daemon, no Dockerfile, no root."""

from proa.pack.bases import Base, BaseChoice, choose_base, list_files
from proa.pack.debugging import debug_image, has_shell
from proa.pack.dockerfile import dockerfile
from proa.pack.image import Packed, pack, pack_program
from proa.pack.inputs import assets_digest, data_versions
from proa.pack.manifests import index
from proa.pack.unpack import unpack, unpack_layers
from proa.pack.untar import Limits

__all__ = [
    "Base",
    "BaseChoice",
    "Limits",
    "Packed",
    "assets_digest",
    "choose_base",
    "data_versions",
    "debug_image",
    "dockerfile",
    "has_shell",
    "index",
    "list_files",
    "pack",
    "pack_program",
    "unpack",
    "unpack_layers",
]
