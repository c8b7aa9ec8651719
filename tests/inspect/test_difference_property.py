from __future__ import annotations

import string

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.inspect.budget_limits import limits_from_words
from proa.inspect.budgets import judge
from proa.inspect.difference import Contents, Program, compare
from proa.inspect.layer_names import named_layers
from proa.inspect.merge import merge_layers
from proa.inspect.tree import tree_of
from proa.records.binary_anatomy import BinaryAnatomy, PackageBytes, SectionBytes
from proa.records.difference import Delta, Difference, Side
from proa.records.image_anatomy import AnatomyFinding
from proa.records.layer_entry import Entry
from proa.records.oci import Config, History, RootFs

_NAMES = st.sampled_from(["a", "b", "c/d", "c/e", "f", "g/h/i"])
_WORDS = st.text(string.ascii_letters, min_size=1, max_size=4)
_VERSIONS = st.dictionaries(_WORDS, st.sampled_from(["v1", "v2", "v3"]), max_size=4)
_PROPERTIES = {"change": {"added": "removed", "removed": "added", "changed": "changed", "": ""}}


@st.composite
def entries(draw):
    """Return one layer's entries: files, and hard links to files of the same layer."""
    names = draw(st.lists(_NAMES, unique=True, max_size=5))
    found = [
        Entry(
            path=name, kind="file", mode=draw(st.sampled_from([0o644, 0o4755])), size_bytes=size, content=bytes([size])
        )
        for name in names
        for size in [draw(st.integers(1, 99))]
    ]
    if names and draw(st.booleans()):
        found.append(Entry(path="z-link", kind="hardlink", target=names[0]))
    return found


@st.composite
def programs(draw):
    packages = draw(st.dictionaries(_WORDS, st.integers(1, 10**6), max_size=5))
    sections = draw(st.dictionaries(_WORDS, st.integers(1, 10**6), max_size=3))
    total = sum(packages.values()) + sum(sections.values())
    return Program(
        place="/app",
        anatomy=BinaryAnatomy(
            file="app",
            format="elf",
            architecture="amd64",
            go_version=draw(st.sampled_from(["1.25", "1.26"])),
            total_bytes=total,
            attributed_bytes=sum(packages.values()),
            packages=tuple(
                PackageBytes(name=name, module=draw(st.sampled_from(["", "m", "n"])), bytes=size, known_by="symbols")
                for name, size in packages.items()
            ),
            sections=tuple(SectionBytes(name=name, bytes=size, meaning="") for name, size in sections.items()),
        ),
        modules=draw(_VERSIONS),
    )


@st.composite
def contents(draw):
    layers = draw(st.lists(entries(), min_size=1, max_size=3))
    merged = merge_layers(layers)
    digests = [f"sha256:{number}" for number in range(len(layers))]
    files = tree_of(merged, digests).files
    diff_ids = tuple(draw(st.sampled_from(["x", "y", "z"])) + str(number) for number in range(len(layers)))
    history = tuple(History(created_by=draw(st.sampled_from(["RUN a", "RUN b", "COPY c /"]))) for _ in layers)
    config = Config(
        architecture="amd64",
        os="linux",
        rootfs=RootFs(diff_ids=diff_ids),
        history=history if draw(st.booleans()) else None,
    )
    sizes = tuple(draw(st.integers(0, 10**6)) for _ in layers)
    found = draw(st.lists(st.sampled_from(["setuid", "user.root"]), unique=True))
    return Contents(
        side=Side(reference="r", kind="image"),
        platform="linux/amd64",
        compressed_bytes=sum(sizes),
        total_bytes=sum(file.bytes for file in files),
        layers=named_layers(config, sizes),
        files=files,
        settings=draw(_VERSIONS),
        system_packages=draw(_VERSIONS),
        image_findings=tuple(AnatomyFinding(id=one, severity="warning", message=one) for one in found),
        program=draw(st.one_of(st.none(), programs())),
    )


@settings(max_examples=40)
@given(contents(), contents())
def test_deltas_add_up_to_the_totals(one, other):
    difference = compare(one, other).difference
    assert sum(file.grown_bytes for file in difference.files) == difference.total.grown_bytes
    assert sum(layer.grown_bytes for layer in difference.layers) == difference.compressed.grown_bytes
    grown = difference.program.grown_bytes if difference.program else 0
    assert sum(delta.grown_bytes for delta in (*difference.packages, *difference.sections)) == grown
    assert sum(delta.grown_bytes for delta in (*difference.modules, *difference.sections)) == grown


@settings(max_examples=40)
@given(contents())
def test_equal_sides_differ_in_nothing(one):
    difference = compare(one, one).difference
    told = (difference.layers, difference.modules, difference.packages, difference.sections, difference.files)
    assert not any(told)
    assert difference.changed_files == 0
    assert not (difference.dependencies)
    assert not (difference.settings)
    assert not (difference.findings)
    assert not (difference.new_findings)
    assert not (difference.gone_findings)


@settings(max_examples=40)
@given(contents(), contents())
def test_the_other_way_round_everything_is_mirrored(one, other):
    there, back = compare(one, other).difference, compare(other, one).difference
    assert _mirrored(there) == _as_sets(back)


def _turned(delta: Delta) -> Delta:
    change = _PROPERTIES["change"][delta.change]
    return Delta(name=delta.name, before_bytes=delta.after_bytes, after_bytes=delta.before_bytes, change=change)


def _mirrored(difference: Difference):
    lists = ("layers", "modules", "packages", "sections", "files")
    swapped = msgspec.structs.replace(
        difference,
        compressed=_turned(difference.compressed),
        total=_turned(difference.total),
        program=_turned(difference.program) if difference.program else None,
        dependencies=tuple(
            msgspec.structs.replace(one, before=one.after, after=one.before) for one in difference.dependencies
        ),
        settings=tuple(msgspec.structs.replace(one, before=one.after, after=one.before) for one in difference.settings),
        new_findings=difference.gone_findings,
        gone_findings=difference.new_findings,
        **{name: tuple(_turned(one) for one in getattr(difference, name)) for name in lists},
    )
    return _as_sets(swapped)


def _as_sets(difference: Difference):
    plain = msgspec.to_builtins(difference)
    plain["findings"] = [one["id"] for one in plain["findings"]]
    for name in ("layers", "modules", "packages", "sections", "files", "dependencies", "settings"):
        plain[name] = sorted(plain[name], key=str)
    return plain


@settings(max_examples=40)
@given(contents(), contents(), st.integers(0, 10**6))
def test_a_budget_is_kept_exactly_up_to_its_limit(one, other, limit):
    compared = compare(one, other)
    judged, _ = judge(compared, limits_from_words([f"image={limit}", f"image.growth={limit}"]))
    assert [verdict.is_within for verdict in judged] == [
        other.compressed_bytes <= limit,
        other.compressed_bytes - one.compressed_bytes <= limit,
    ]


@settings(max_examples=40)
@given(contents(), contents())
def test_what_is_new_is_new_and_not_there_before(one, other):
    compared = compare(one, other)
    judged, _ = judge(compared, limits_from_words(["no_new=set-uid,root-user,dependency,system-package"]))
    over = {(verdict.budget, verdict.subject) for verdict in judged if not verdict.is_within}
    before = {finding.id for finding in one.image_findings}
    after = {finding.id for finding in other.image_findings}
    assert ({name for name, _ in over} & {"no_new=set-uid"} != set()) == ("setuid" in after - before)
    assert ({name for name, _ in over} & {"no_new=root-user"} != set()) == ("user.root" in after - before)
    new = set(other.system_packages) - set(one.system_packages)
    assert {subject for name, subject in over if name == "no_new=system-package"} == new
