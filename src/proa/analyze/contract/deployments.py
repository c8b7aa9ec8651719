"""What deployment files set: every file of a known kind as units (a service, a container, a file), with lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from proa.analyze.contract.reading import SourceFile
from proa.records.evidence import Evidence

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class Assignment(msgspec.Struct, frozen=True, kw_only=True):
    """One variable that is set."""

    name: str
    value: str = ""
    """Empty where it comes from elsewhere: a secret, the shell of whoever deploys."""
    file: str
    line: int = 1

    def place(self) -> Evidence:
        """Return where it is set."""
        return Evidence(file=self.file, line=self.line)


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What is started together with one set of variables."""

    file: str
    line: int = 1
    name: str = ""
    """The Compose service, the container; empty where the file is one."""
    sets: tuple[Assignment, ...] = ()
    is_open: bool = False
    """More may be set that cannot be seen here: nothing is missing for certain."""
    is_own: bool = False
    """Certainly the project's own program: built from here."""
    is_shared: bool = False
    """Others read these variables too: what the program does not read is not unused."""
    image: str = ""


_KINDS = re.compile(
    r"(?:.*/)?(?:[\w.-]*Dockerfile[\w.-]*|Containerfile|(?:docker-)?compose[\w.-]*\.ya?ml|\.env[\w.-]*|[\w.-]+\.env|[\w@.-]+\.service"
    r"|Procfile|app\.json|fly[\w.-]*\.toml|serverless\.ya?ml|proa\.ya?ml|kustomization\.ya?ml|[\w.-]+\.tf)"
)
_YAML_HINT = re.compile(
    rb"^\s*(?:-\s*)?(?:kind|apiVersion|services|env|environment|envFrom|jobs|configMapGenerator|secretGenerator)\s*:",
    re.MULTILINE,
)
_ASIDE = re.compile(r"(?:^|/)(?:node_modules|vendor|third_party|testdata|fixtures|\.terraform|\.git)/")


def may_deploy(path: str) -> bool:
    """Say whether a path may be a deployment file, so that only these need to be read.

    >>> [may_deploy(path) for path in ("Dockerfile", "k8s/app.yaml", ".env.example", "main.go", "node_modules/x/.env")]
    [True, True, True, False, False]
    """
    if _ASIDE.search(path):
        return False
    return _KINDS.fullmatch(path) is not None or path.endswith((".yaml", ".yml", ".tpl"))


def units_in(files: Iterable[SourceFile]) -> tuple[Unit, ...]:
    """Return the units of all deployment files, in the order of their paths."""
    from proa.analyze.contract.deployment_clusters import chart_units, manifest_units
    from proa.analyze.contract.deployment_compose import compose_units, platform_units

    kept = sorted((one for one in files if may_deploy(one.path)), key=lambda one: one.path)
    by_path = {one.path: one for one in kept}
    charts = {one.path.rpartition("/")[0] for one in kept if one.path.rpartition("/")[2] == "Chart.yaml"}
    in_chart = [one for one in kept if any(one.path.startswith(f"{chart}/" if chart else "") for chart in charts)]
    rest = [one for one in kept if one not in in_chart]
    yaml = [one for one in rest if one.path.endswith((".yaml", ".yml")) and _YAML_HINT.search(one.data)]
    found = [unit for one in kept for unit in _plain(one, by_path)]
    found += [unit for one in yaml for unit in compose_units(one, by_path)]
    found += [unit for one in rest for unit in platform_units(one)]
    found += manifest_units(yaml, by_path)
    found += chart_units(in_chart, sorted(charts))
    return tuple(sorted(found, key=lambda unit: (unit.file, unit.line, unit.name)))


def _plain(file: SourceFile, by_path: dict[str, SourceFile]) -> Iterator[Unit]:
    name = file.path.rpartition("/")[2]
    text = file.data.decode("utf-8-sig", "replace")
    if "Dockerfile" in name or name == "Containerfile":
        yield Unit(file=file.path, sets=tuple(_dockerfile(file.path, text)), is_open=True, is_own=True)
    elif name.startswith(".env") or name.endswith(".env"):
        sets = tuple(env_file(file.path, text))
        if sets:
            yield Unit(file=file.path, sets=sets, is_own=name.startswith(".env"))
    elif name.endswith(".service"):
        yield from _systemd(file.path, text, by_path)
    elif name == "Procfile":
        yield from _procfile(file.path, text)


def env_file(path: str, text: str) -> Iterator[Assignment]:
    """Yield the assignments of a .env file; what is commented out is not set."""
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.fullmatch(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(.*)", line)
        if match:
            value = re.sub(r"\s+#.*$", "", match[2]).strip().strip("'\"")
            yield Assignment(name=match[1], value=value, file=path, line=number)


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield logical lines, those that end in a backslash put together, with the line they began on."""
    whole, began = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        if whole and line.lstrip().startswith("#"):
            continue
        began = began if whole else number
        if line.rstrip().endswith("\\"):
            whole += line.rstrip()[:-1] + " "
            continue
        yield began, whole + line
        whole = ""
    if whole:
        yield began, whole


_PAIR = re.compile(r"""([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|'[^']*'|(?:\\.|[^\s"'])*)""")


def _dockerfile(path: str, text: str) -> Iterator[Assignment]:
    r"""Yield ENV of the last stage, and of those it is built from.

    >>> [one.name for one in _dockerfile("D", "FROM a AS x\nENV A=1\nFROM b\nENV B=1 C='2 3'\nENV D e\n")]
    ['B', 'C', 'D']
    """
    stages: dict[str, list[Assignment]] = {}
    current: list[Assignment] = []
    for number, line in _joined(text):
        words = line.split()
        match words[:1] and words[0].upper():
            case "FROM":
                plain = [word for word in words[1:] if not word.startswith("--")]
                current = list(stages.get(plain[0].lower(), [])) if plain else []
                stages[plain[2].lower() if len(plain) > 2 else f"#{number}"] = current
            case "ENV":
                rest = line.split(None, 1)[1] if len(words) > 1 else ""
                pairs = _PAIR.findall(rest)
                if "=" not in words[1:2][0] if words[1:2] else True:
                    pairs = [(words[1], " ".join(words[2:]))] if len(words) > 2 else []
                current += [
                    Assignment(name=name, value=value.strip("'\""), file=path, line=number) for name, value in pairs
                ]
            case _:
                continue
    yield from current


def _systemd(path: str, text: str, by_path: dict[str, SourceFile]) -> Iterator[Unit]:
    sets: list[Assignment] = []
    is_open = False
    for number, line in _joined(text):
        key, _, value = line.partition("=")
        if key.strip() == "Environment":
            for quoted, plain in re.findall(r"""["']([^"']*)["']|([^\s"']+=\S*)""", value):
                name, _, said = (quoted or plain).partition("=")
                sets.append(Assignment(name=name, value=said, file=path, line=number))
        elif key.strip() == "EnvironmentFile":
            wanted = value.strip().lstrip("-").rpartition("/")[2]
            other = next((one for name, one in by_path.items() if name.rpartition("/")[2] == wanted), None)
            is_open = is_open or other is None
            sets += env_file(other.path, other.data.decode("utf-8-sig", "replace")) if other is not None else ()
    yield Unit(file=path, sets=tuple(sets), is_open=is_open)


def _procfile(path: str, text: str) -> Iterator[Unit]:
    for number, line in enumerate(text.splitlines(), start=1):
        match = re.fullmatch(r"([\w-]+):\s*((?:env\s+)?(?:[A-Za-z_]\w*=\S*\s+)*).*", line)
        pairs = _PAIR.findall(match[2]) if match else []
        if match and pairs:
            sets = tuple(Assignment(name=name, value=value, file=path, line=number) for name, value in pairs)
            yield Unit(file=path, line=number, name=match[1], sets=sets, is_open=True, is_own=True)
