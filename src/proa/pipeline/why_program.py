"""Why something is in a program's file: its references, its source where that is at hand, and what would go."""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec

from proa.errors import BinaryDamaged, NotInTarget, WrongUsage
from proa.inspect.anatomy import Dissected, dissect
from proa.inspect.asked import Asked, guess, is_end_of, resolve
from proa.inspect.reachability import Reachability
from proa.inspect.references import read_references
from proa.inspect.why_go import Reasons, reasons
from proa.outside import elf, gocode
from proa.outside.executables import Executable, SymbolTable, open_executable, symbol_table
from proa.outside.gobinary import GoBinary
from proa.pipeline.inspect_binary import debug_symbols
from proa.pipeline.plan import Bench
from proa.pipeline.why_source import Source, find_source, import_statements
from proa.records.evidence import Finding
from proa.records.why import Why

_MOST_EXCLUSIVE = 100
_LOOKUP = Finding(
    id="why.reflection",
    severity="info",
    message="without it nobody known looks methods up by name; then the linker may leave out many more bytes",
    hint="`proa tune deadcode` measures that, and names everybody who keeps methods",
)
_REFUSED = ("inspect.packed", "inspect.obfuscated", "inspect.old-go")


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question about a program."""

    target: str
    """As the user wrote it."""
    name: str
    source: str = ""
    directory: Path = Path()
    debug: Path | None = None
    should_verify: bool = False


def explain_program(file: Path, ask: Ask, *, bench: Bench) -> Why:
    """Return why something is in a program. Raises BinaryDamaged, DebugMismatch, NotInTarget, WrongUsage."""
    program = open_executable(file)
    try:
        return _explained(program, file, ask, bench)
    except BinaryDamaged as error:
        raise BinaryDamaged(f"{file.name}: {error.what}", output=error.output, hint=error.hint) from error
    except (IndexError, ValueError, OverflowError, MemoryError, struct.error) as error:
        raise BinaryDamaged(f"{file.name}: its tables contradict each other ({error})") from error


def _explained(program: Executable, file: Path, ask: Ask, bench: Bench) -> Why:
    bench.say(f"reading {file.name}")
    build_id = elf.build_id(program.elf) if program.format == "elf" else ""
    symbols, _ = debug_symbols(program, build_id, debug=ask.debug, environ=bench.environ)
    parts = dissect(program, debug=symbols, most_symbols=0)
    for finding in parts.findings:
        if finding.id in _REFUSED:
            raise NotInTarget(f"{file.name}: {finding.message}", hint=finding.hint)
    source: Source | None = None
    tried: tuple[Finding, ...] = ()
    if parts.language == "go":
        source, tried = find_source(parts.info, bench=bench, asked=ask.source, directory=ask.directory)
    if ask.should_verify and source is None:
        raise WrongUsage("--verify builds the program again, and its source is not at hand", hint="--source DIR")
    asked = _resolved(ask, file.name, parts, source)
    own, language = _own_bytes(asked, parts), parts.language
    names = symbols or symbol_table(program)
    told = (*tried, *(source.findings if source else ()), *_known_by_name(names, parts))
    # Room for the graph, which is as large.
    del parts
    if language != "go" or not _is_readable(program):
        return _bytes_alone(ask, asked, own=own, source=source, language=language, told=told)
    bench.say("following references")
    reachability = _reachability(program, names, is_counted=symbols is None and names is not None)
    words = source.methods_named(asked.packages) if source else ()
    found = reasons(asked, reachability, source.imports if source else None, words)
    if found.loss.is_last_lookup:
        told = (*told, _LOOKUP)
    why = _why(ask, asked, own=own, found=found, source=source, told=told)
    return _verified(why, asked, source, bench) if ask.should_verify and source else why


def _reachability(program: Executable, names: SymbolTable | None, *, is_counted: bool) -> Reachability:
    binary = GoBinary(program.elf)
    return Reachability(read_references(binary, len(program.elf.data), names, is_counted=is_counted))


def _is_readable(program: Executable) -> bool:
    return program.format == "elf" and program.elf.is_64 and gocode.can_read(GoBinary(program.elf))


def _resolved(ask: Ask, name: str, parts: Dissected, source: Source | None) -> Asked:
    packages = set(parts.names.packages)
    try:
        return resolve(
            ask.name,
            packages=packages,
            modules=parts.info.modules,
            symbols=[one.name for one in parts.functions],
            main=parts.info.path,
            what=name,
        )
    except NotInTarget as error:
        if source is None:
            raise
        dropped = [path for path in source.packages if path == ask.name or is_end_of(ask.name, path)]
        if len(dropped) != 1:
            hint = error.hint if error.hint.startswith("did") else guess(ask.name, source.packages)
            raise NotInTarget(error.what, hint=hint) from error
        importers = sorted(path for path, one in source.packages.items() if dropped[0] in one.imports)
        raise NotInTarget(
            f"{dropped[0]} is imported by {importers[0] if importers else 'the source'}, "
            f"but the linker kept nothing of it in {name}",
            hint="it costs no bytes: there is nothing to save",
        ) from error


def _own_bytes(asked: Asked, parts: Dissected) -> int:
    import numpy as np

    if asked.subject == "symbol":
        return sum(one.size for one in parts.functions if one.name == asked.name)
    numbers = [parts.names.packages[name] for name in asked.packages if name in parts.names.packages]
    return int(parts.ranges.sizes[np.isin(parts.ranges.owners, numbers)].sum())


def _why(ask: Ask, asked: Asked, *, own: int, found: Reasons, source: Source | None, told: tuple[Finding, ...]) -> Why:
    main = source.imports.main if source else "main"
    return Why(
        target=ask.target,
        name=asked.name,
        subject=asked.subject,
        known_by="source" if source else "binary",
        chain=found.chain,
        references=found.references,
        importers=found.importers,
        dominator=found.dominator or ("" if asked.packages == ("main",) else main),
        bytes=own,
        exclusive_bytes=found.loss.bytes,
        shared_bytes=found.loss.shared_bytes,
        exclusive=found.loss.packages[:_MOST_EXCLUSIVE],
        evidence=import_statements(found.chain, source) if source else (),
        findings=told,
    )


def _known_by_name(names: SymbolTable | None, parts: Dissected) -> tuple[Finding, ...]:
    if names is not None or parts.language != "go":
        return ()
    told = Finding(
        id="why.stripped",
        severity="info",
        message="the program has no symbol table, so its variables have no names: bytes of data go by references",
        hint="give its debug file by --debug",
    )
    return (told,)


def _bytes_alone(
    ask: Ask, asked: Asked, *, own: int, source: Source | None, language: str, told: tuple[Finding, ...]
) -> Why:
    """Answer where no references are known: the bytes, and the imports where there is source."""
    from proa.inspect.dominators import immediate_dominators, shortest_way

    what = "Go programs for ELF on amd64 and arm64" if language == "go" else "Go programs"
    unknown = Finding(
        id="why.no-references",
        message=f"what refers to it, and what would go with it, is known of {what} only",
    )
    chain: tuple[str, ...] = ()
    importers: tuple[str, ...] = ()
    dominator = ""
    if source is not None:
        imports = source.imports
        chain = shortest_way(imports.main, asked.packages, imports.edges)
        importers = tuple(sorted(path for path, targets in imports.edges.items() if chain and chain[-1] in targets))
        dominator = immediate_dominators(imports.main, imports.edges).get(chain[-1], "") if chain else ""
    return Why(
        target=ask.target,
        name=asked.name,
        subject=asked.subject,
        known_by="source" if source else "binary",
        chain=chain,
        importers=importers,
        dominator=dominator,
        bytes=own,
        exclusive_bytes=None,
        shared_bytes=None,
        evidence=import_statements(chain, source) if source else (),
        findings=(*told, unknown),
    )


def _verified(why: Why, asked: Asked, source: Source, bench: Bench) -> Why:
    if asked.subject == "symbol":
        raise WrongUsage("--verify leaves packages and modules out, not single symbols")
    if asked.packages == ("main",):
        raise WrongUsage("nothing is left of a program without its main package")
    from proa.pipeline.deadcode_link import Case
    from proa.pipeline.steps import Log, Work
    from proa.pipeline.why_verify import verify

    # Of a module also what the linker kept nothing of.
    packages = [path for path in source.packages if path in asked.packages]
    with bench.store.using(), bench.store.folder() as folder:
        case = Case(Work(bench=bench, plan=source.plan, log=Log()), source.number, folder)
        found = verify(case, packages)
    return msgspec.structs.replace(why, verified_bytes=found.real_bytes, findings=(*why.findings, *found.findings))
