"""Write the multi-stage Dockerfile that makes an equivalent image, for those who must have one."""

from __future__ import annotations

from proa.records.configuration import ImageSettings
from proa.records.evidence import Needs
from proa.records.project import Project


def dockerfile(project: Project, needs: Needs, settings: ImageSettings) -> str:
    """Return it."""
    return ""
