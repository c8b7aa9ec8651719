"""``proa why``: a package, a symbol or a file, and the reason it is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa.errors import WrongUsage
from proa.pipeline.inspect import is_program
from proa.pipeline.inspect_binary import is_other_program
from proa.pipeline.plan import Say, open_bench
from proa.pipeline.why_image import explain_in_image
from proa.pipeline.why_program import Ask, explain_program
from proa.records.platform import Platform
from proa.records.request import Request
from proa.records.why import Why


def why(ask: Ask, request: Request, *, environ: Mapping[str, str], progress: Say) -> Why:
    """Return why something is in an image or a program. Raises NotInTarget, WrongUsage, BinaryDamaged and others."""
    if not ask.name.strip():
        raise WrongUsage("nothing was asked for", hint="proa why TARGET PACKAGE|SYMBOL|FILE")
    bench = open_bench(request, environ, progress)
    ask = msgspec.structs.replace(ask, directory=Path(request.directory).absolute())
    if is_program(ask.target) or is_other_program(ask.target):
        if request.platforms:
            raise WrongUsage("--platform is for images; a program has one")
        with bench.store.using():
            return explain_program(Path(ask.target), ask, bench=bench)
    platform = Platform.parse(request.platforms[0]) if request.platforms else None
    return explain_in_image(ask, platform, bench=bench, jobs=request.jobs)
