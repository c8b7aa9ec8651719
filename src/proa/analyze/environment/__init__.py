"""With which versions a project is made: what it declares, what it locks, and what answers on this machine.

One module per ecosystem reads its own files and returns the same record; no file is read twice, none is trusted, and
one that cannot be read is a finding. Nothing is fetched, and nothing of the project is run.
"""

from proa.analyze.environment.found import Found
from proa.analyze.environment.go import read_go as read_go_module
from proa.analyze.environment.reading import Known, needed_tools, read_environment

__all__ = ["Found", "Known", "needed_tools", "read_environment", "read_go_module"]
