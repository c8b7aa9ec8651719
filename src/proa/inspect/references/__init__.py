"""Which part of a linked Go program refers to which: the graph that ``proa why`` walks, read from the file alone.

Nodes, in this order: functions · pieces of data (variables, types, strings, method tables) · pieces of the function
table, which are there for the functions that refer to them · for each type once more "it was put into an interface",
since only then its methods can be called by what does not name them. Edges are calls, addresses that code computes,
pointers in data and offsets in type descriptors. Four kinds of reference keep nothing alive by themselves and stand
apart, as in the linker: a type's methods, the slots of method tables, the lists of types and tables, and the list of
packages to initialise. How far it is right: docs/decisions/0020-references-from-the-binary.md.

``addresses`` is what the file says; ``nodes`` and ``function_table`` make nodes of it; ``machine_code``, ``pointers``
and ``descriptors`` draw the edges, as ``edges`` has them; ``weights`` says whose each node is and how large; ``graph``
is the record, and the line through all of these.

Source: src/cmd/link/internal/ld/deadcode.go of Go 1.21 to 1.26.
"""

from proa.inspect.references.graph import References, read_references

__all__ = ["References", "read_references"]
