"""The image that was published last under the name that ``proa ship --push`` gives the project."""

from __future__ import annotations

from proa import publish
from proa.errors import ImageMissing, NoMain, NoProject, SeveralMains, WrongUsage
from proa.outside.registry_tags import newest_tag
from proa.pipeline.plan import Bench, Plan, lay_plans
from proa.records.reference import Reference, parse_reference
from proa.records.request import Request

_NAME_A = "name what to compare with: proa diff git:REV ., or proa diff docker://REGISTRY/NAME:TAG ."


def only_plan(bench: Bench, request: Request) -> Plan:
    """Return the one program that is meant. Raises what ``lay_plans`` raises, SeveralMains among it."""
    plans = lay_plans(bench, request)
    if len(plans) > 1:
        names = ", ".join(plan.main.name for plan in plans)
        raise WrongUsage(f"there are several programs ({names})", hint="choose one with --program")
    return plans[0]


def published(bench: Bench, request: Request, tag: str) -> Reference:
    """Return the image of a tag, the newest one where there is none, of the project that a request asks for.

    Raises WrongUsage (no repository is known, several programs), ImageMissing (nothing was published), and what the
    registry and reading the project raise.
    """
    try:
        plan = only_plan(bench, request)
    except (NoProject, NoMain, SeveralMains) as error:
        error.what = f"what was published last is known by the project's name: {error.what}"
        error.hint = "choose one with --program" if isinstance(error, SeveralMains) else _NAME_A
        raise
    repository = publish.chosen_repository(bench.environ, plan.settings.repo)
    if not repository:
        raise WrongUsage(
            "where images are published is not known", hint=f"set `repo` in proa.yaml or PROA_REPO; or {_NAME_A}"
        )
    name = publish.pushed_name(repository, plan.main.import_path, request.naming)
    reference = parse_reference(f"docker://{name}")
    if reference.name is None or name.partition("/")[0] in ("ko.local", "kind.local"):
        raise WrongUsage(f"{name} is in no registry, so what was published last is not known", hint=_NAME_A)
    if not tag:
        bench.say(f"asking for the tags of {name}")
        try:
            tag = newest_tag(reference.name, access=bench.access)
        except ImageMissing as error:
            raise _nothing(name) from error
        if not tag:
            raise _nothing(name)
    return parse_reference(f"docker://{name}:{tag}")


def _nothing(name: str) -> ImageMissing:
    return ImageMissing(
        f"nothing was published as {name} yet", hint=f"publish with `proa ship --push --tags TAG`; or {_NAME_A}"
    )
