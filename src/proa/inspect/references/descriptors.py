"""Edges of type descriptors: what their offsets lead to, the methods of types, what a use in an interface brings."""

from __future__ import annotations

from typing import Any

import msgspec

from proa.inspect.references.edges import Edges, joined
from proa.inspect.references.nodes import Places, TypeNodes
from proa.outside.gomethods import TypeReferences


class Methods(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Which methods types have and which ones interfaces ask for, by signature; they keep nothing by themselves."""

    sources: Any
    """"In an interface" of the type."""
    targets: Any
    """A function, or "in an interface" of its signature."""
    signatures: Any
    interface_types: Any
    """-1 where that is no node."""
    interface_signatures: Any
    names: list[str]
    """By signature."""

    @property
    def is_exported(self) -> Any:
        """Say of each signature whether its name begins with a capital."""
        import numpy as np

        return np.array([name[:1].isupper() for name in self.names], bool)


def interface_uses(types: TypeNodes, sources: Any, targets: Any) -> Edges:
    """Return which types' being in an interface follows from references in data.

    Those of which a type in an interface is made are in one, and so are those of variables. A method table by itself is
    no use: it is there for comparisons, too.
    """
    leads = types.in_interface[targets] >= 0
    sources, targets = sources[leads], targets[leads]
    of_types, is_table = types.is_type[sources], types.in_interface[sources] >= 0
    inner = of_types & types.is_type[targets]
    other = ~of_types & ~is_table & ~types.is_interface[targets]
    return joined(
        [
            Edges(types.in_interface[sources[inner]], types.in_interface[targets[inner]]),
            Edges(sources[other], types.in_interface[targets[other]]),
        ]
    )


def type_uses(types: TypeNodes) -> Edges:
    """Return the edges from each "in an interface" to the type itself."""
    import numpy as np

    return Edges(np.arange(types.first_in_interface, types.count), types.nodes)


def type_edges(places: Places, types: TypeNodes, offsets: TypeReferences) -> Edges:
    """Return what descriptors need to be what they are."""
    import numpy as np

    sources = places.locate(np.array(offsets.sources, "i8"))
    targets = places.locate(np.array(offsets.targets, "i8"))
    good = (sources >= 0) & (targets >= 0)
    sources, targets = sources[good], targets[good]
    return joined([Edges(sources, targets), interface_uses(types, sources, targets)])


def methods_of(places: Places, types: TypeNodes, offsets: TypeReferences) -> Methods:
    """Return the methods of types, and those that interfaces have."""
    import numpy as np

    kinds = places.locate(np.array(offsets.method_types, "i8"))
    targets = places.locate(np.array(offsets.method_targets, "i8"))
    good = (kinds >= 0) & (targets >= 0) & (types.in_interface[np.maximum(kinds, 0)] >= 0)
    kinds, targets = kinds[good], targets[good]
    return Methods(
        sources=types.in_interface[kinds].astype("i8"),
        # What a method takes and gives can be got by reflection: in an interface as well.
        targets=np.where(types.is_type[targets], types.in_interface[targets], targets),
        signatures=np.array(offsets.method_signatures, "i8")[good],
        interface_types=places.locate(np.array(offsets.interface_types, "i8")),
        interface_signatures=np.array(offsets.interface_signatures, "i8"),
        names=offsets.names,
    )
