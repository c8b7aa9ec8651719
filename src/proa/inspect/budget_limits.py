"""Budgets as they are written, in proa.yaml or on the command line, read strictly into limits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Literal, get_args

import msgspec

from proa.errors import WrongConfiguration, WrongUsage
from proa.records.configuration import Budget, BudgetSettings, NewRule

Group = Literal["image", "unpacked", "binary", "wasted", "layers", "packages", "files", "no_new"]
Kind = Literal["max", "growth", "new"]

_SIZE = re.compile(r"(?P<number>[0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?P<unit>[A-Za-z]{0,3})")
_PERCENT = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,4})?) ?%")
_UNITS = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", 1):
    _UNITS |= {_letter: 1000**_power, f"{_letter}b": 1000**_power}
    _UNITS |= {f"{_letter}i": 1024**_power, f"{_letter}ib": 1024**_power}
_WHOLES = ("image", "unpacked", "binary", "wasted")
_GROUPS: dict[str, Group] = {
    "layer": "layers",
    "package": "packages",
    "module": "packages",
    "file": "files",
}
_RULES: tuple[NewRule, ...] = get_args(NewRule)
_HINT = "write --budget image=20MB, image.growth=5%, package:golang.org/x/*=1MB, layer:program.growth=0, no_new=set-uid"


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is allowed so much, and no more."""

    name: str
    """Where it stands: ``budgets.image.growth``; or as it was given: ``image.growth=5%``."""
    group: Group
    kind: Kind
    subject: str = ""
    """A layer, a pattern, or a rule."""
    text: str = ""
    bytes: int = 0
    percent: Fraction | None = None
    """Of what was there before; then ``bytes`` has no meaning."""
    path: tuple[str, ...] = ()
    """In proa.yaml; empty for one of the command line."""

    def allowed_bytes(self, before_bytes: int) -> int:
        """Return the size (max) or the growth that is allowed."""
        return self.bytes if self.percent is None else int(before_bytes * self.percent / 100)


def limits_of(settings: BudgetSettings) -> tuple[Limit, ...]:
    """Return the budgets of proa.yaml. Raises WrongConfiguration, naming the key."""
    found = [limit for group in _WHOLES for limit in _written(getattr(settings, group), group)]  # type: ignore[arg-type]
    for group, budgets in (("layers", settings.layers), ("packages", settings.packages), ("files", settings.files)):
        for subject, budget in budgets.items():
            found += _written(budget, group, subject)  # type: ignore[arg-type]
    for rule in dict.fromkeys(settings.no_new):
        found.append(Limit(name=f"budgets.no_new.{rule}", group="no_new", kind="new", subject=rule, path=_NO_NEW))
    return tuple(found)


_NO_NEW = ("budgets", "no_new")


def _written(budget: Budget, group: Group, subject: str = "") -> Iterator[Limit]:
    path = ("budgets", group, *([subject] if subject else []))
    for kind, value in (("max", budget.max), ("growth", budget.growth)):
        if value != "":
            name = ".".join((*path, kind))
            size, percent = _amount(str(value), kind == "growth", name)
            yield Limit(
                name=name,
                group=group,
                kind=kind,  # type: ignore[arg-type]
                subject=subject,
                text=str(value),
                bytes=size,
                percent=percent,
                path=(*path, kind),
            )


def limits_from_words(words: Iterable[str]) -> tuple[Limit, ...]:
    """Return the budgets of ``--budget NAME=VALUE``. Raises WrongUsage.

    >>> [one.bytes for one in limits_from_words(["layer:program.growth=10kB"])]
    [10000]
    """
    return tuple(limit for word in words for limit in _from_word(word))


def _from_word(word: str) -> Iterator[Limit]:
    # A pattern may have an equals sign in it, a size has none.
    name, equals, value = (part.strip() for part in word.rpartition("="))
    if not equals or not name or not value:
        raise WrongUsage(f"--budget {word!r} is not NAME=VALUE", hint=_HINT)
    if name == "no_new":
        for rule in map(str.strip, value.split(",")):
            if rule not in _RULES:
                raise WrongUsage(f"--budget {word!r}: {rule!r} is no rule", hint=f"the rules are {', '.join(_RULES)}")
            yield Limit(name=f"no_new={rule}", group="no_new", kind="new", subject=rule)
        return
    kind: Literal["max", "growth"] = "growth" if name.endswith(".growth") else "max"
    what = name.removesuffix(f".{kind}")
    head, colon, subject = what.partition(":")
    group = _GROUPS.get(head) if colon and subject else None
    if group is None and (colon or what not in _WHOLES):
        raise WrongUsage(f"--budget {word!r}: {what!r} is nothing that has a budget", hint=_HINT)
    try:
        size, percent = _amount(value, kind == "growth", f"--budget {name}")
    except WrongConfiguration as error:
        raise WrongUsage(error.what, hint=error.hint) from error
    chosen: Group = group or what  # type: ignore[assignment]
    yield Limit(name=word, group=chosen, kind=kind, subject=subject, text=value, bytes=size, percent=percent)


def laid_over(configured: Sequence[Limit], given: Sequence[Limit]) -> tuple[Limit, ...]:
    """Return both, those given on the command line in the place of those of proa.yaml for the same thing."""
    whole = {(one.group, one.kind, one.subject): one for one in configured}
    whole |= {(one.group, one.kind, one.subject): one for one in given}
    return tuple(whole.values())


def _amount(text: str, is_growth: bool, name: str) -> tuple[int, Fraction | None]:
    """Return bytes, or a percentage. Raises WrongConfiguration."""
    if match := _PERCENT.fullmatch(text):
        if not is_growth:
            raise WrongConfiguration(f"{name}: {text!r} is a share of what was there before", hint="it is for growth")
        return 0, Fraction(match[1])
    return size_of(text, name=name, also="or 5%" if is_growth else ""), None


def size_of(text: str, *, name: str, also: str = "") -> int:
    """Return a size in bytes; ``k``, ``M``, ``G`` are thousands, ``Ki``, ``Mi``, ``Gi`` are 1024s.

    Raises WrongConfiguration, naming ``name``.

    >>> [size_of(text, name="x") for text in ("20MB", "1.5MiB", "512k", "7")]
    [20000000, 1572864, 512000, 7]
    """
    match = _SIZE.fullmatch(text)
    unit = _UNITS.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        raise WrongConfiguration(
            f"{name}: {text[:100]!r} is no size", hint=" ".join(f"write 20MB, 512KiB or bytes {also}".split())
        )
    amount = Fraction(match["number"]) * unit
    if amount.denominator != 1:
        raise WrongConfiguration(f"{name}: {text!r} is not a whole number of bytes")
    return int(amount)
