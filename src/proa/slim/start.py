"""What an image is started with: its entrypoint and command, its health check, the scripts and files they name."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from proa.records import oci
from proa.records.slimming import KeepRule
from proa.slim.growth import Growth
from proa.slim.words import commands, split, words

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh", "busybox", "mksh"})
_BUILT_IN = frozenset(
    [
        "exec",
        "exit",
        "set",
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "do",
        "done",
        "while",
        "until",
        "case",
        "esac",
        "in",
        "cd",
        "export",
        "eval",
        "shift",
        "test",
        "echo",
        "read",
        "return",
        "true",
        "false",
        "trap",
        "wait",
        "unset",
        "local",
        "readonly",
        "umask",
        "ulimit",
        "type",
        "command",
        "source",
        "getopts",
        "let",
        "function",
        "time",
        "kill",
        "hash",
        "printf",
        "pwd",
        "alias",
        "break",
        "continue",
        "jobs",
        "bg",
        "fg",
        "times",
        "declare",
    ]
)
_RELEVANT_VARIABLES = 4_096


def environment(config: oci.Config) -> dict[str, str]:
    """Return the image's environment."""
    pairs = (entry.partition("=") for entry in (config.config.env if config.config and config.config.env else ()))
    return {name: value for name, _, value in pairs}


def keep_start(growth: Growth, config: oci.Config) -> None:
    """Keep what the configuration names."""
    run = config.config or oci.Execution()
    growth.keep(run.working_dir or "/", "entrypoint", "the working directory")
    entrypoint, command = list(run.entrypoint or ()), list(run.cmd or ())
    keep_command(growth, [*entrypoint, *command], "entrypoint", "the image starts it")
    if entrypoint and command:
        # An entrypoint script ends in ``exec "$@"``.
        keep_command(growth, command, "entrypoint", "the image's command")
    test = [str(word) for word in (run.healthcheck or {}).get("Test") or ()]
    if test[:1] == ["CMD-SHELL"]:
        keep_command(growth, ["/bin/sh", "-c", *test[1:]], "entrypoint", "the health check runs it")
    elif test[:1] == ["CMD"]:
        keep_command(growth, test[1:], "entrypoint", "the health check runs it")
    for volume in run.volumes or {}:
        growth.keep(volume, "entrypoint", "a volume is mounted there")
    _keep_environment(growth)


def _keep_environment(growth: Growth) -> None:
    for name, value in sorted(growth.environment.items()):
        if name == "PATH":
            continue
        for part in dict.fromkeys((value, *value[:_RELEVANT_VARIABLES].split(":"), *words(value))):
            path = part.rpartition("=")[2] if not part.startswith("/") else part
            if path.startswith("/") and path.strip("/"):
                keep_named(growth, path, "reference", f"the variable {name} names it")


def keep_named(growth: Growth, path: str, rule: KeepRule, because: str) -> None:
    """Keep a file that is named, or a folder: its own, small contents as well, unless the system shares it."""
    from proa.slim.references import keep_reference

    keep_reference(growth, path, rule, because, is_meant=True)


def search(growth: Growth, word: str) -> Iterator[str]:
    """Yield where a program would be found: along PATH, or at the path it is."""
    if "/" in word:
        yield posixpath.join(growth.directory, word)
        return
    for folder in search_path(growth):
        place = f"{folder.rstrip('/')}/{word}"
        if growth.tree.is_file(place):
            yield place
            return


def search_path(growth: Growth) -> list[str]:
    """Return the folders where programs are looked for."""
    folders = growth.environment.get("PATH", DEFAULT_PATH).split(":")
    return [posixpath.join(growth.directory, folder) for folder in folders[:200]]


def keep_command(growth: Growth, command: list[str], rule: KeepRule, because: str) -> None:
    """Keep the program a command starts, and every word of it that names a program or file of the image."""
    if not command:
        return
    for place in search(growth, command[0]):
        run(growth, place, rule, because)
    name = posixpath.basename(command[0])
    for at, word in enumerate(command[1:], 1):
        is_text = name in SHELLS and re_is_c(command[at - 1])
        if is_text:
            keep_command(growth, split(word), rule, f"{because}, through {name} -c")
            keep_words(growth, words(word, growth.environment), rule, f"{because}, through {name} -c")
        else:
            keep_words(growth, (word, word.rpartition("=")[2]), rule, because)


def re_is_c(word: str) -> bool:
    """Say whether an option makes a shell read the next word as its text.

    >>> re_is_c("-ec"), re_is_c("-x")
    (True, False)
    """
    return word.startswith("-") and not word.startswith("--") and word.endswith("c")


def keep_words(growth: Growth, found: Iterable[str], rule: KeepRule, because: str) -> None:
    """Keep what words name: programs on PATH, paths of the image, also those relative to the working directory."""
    for word in found:
        if word in _BUILT_IN and word not in {"test", "kill", "echo", "printf", "true", "false", "time", "pwd"}:
            continue
        if word.startswith("@"):
            keep_words(growth, (word[1:],), rule, because)
        if "/" not in word and word[:1] not in "-.":
            for place in search(growth, word):
                run(growth, place, rule, because)
        for part in (word, *word.split(":")) if ":" in word else (word,):
            path = posixpath.join(growth.directory, part)
            if part and growth.tree.real(path) not in (None, "/"):
                if growth.tree.is_file(path):
                    run(growth, path, rule, because)
                elif part.startswith("/"):
                    keep_named(growth, path, rule, because)


def run(growth: Growth, path: str, rule: KeepRule, because: str) -> None:
    """Keep a file that is started, and the interpreter that its first line names."""
    real = growth.keep(path, rule, because)
    if real is not None and growth.once("run", real):
        keep_interpreter(growth, real)
        _keep_script_words(growth, real)


def _keep_script_words(growth: Growth, path: str) -> None:
    """Keep what a shell script that is started runs: every word of it that names a program or a path."""
    line = growth.tree.read(path, 128).split(b"\n", 1)[0]
    if line.startswith(b"#!") and b"sh" in line:
        text = growth.tree.text(path)
        is_own = growth.packages.owner(path) is None
        # Scripts of packages are long and full of prose; the author's own are few, and every word may count.
        found = words(text, growth.environment) if is_own else commands(text)
        keep_words(growth, found, "reference", f"{path} runs it")


def keep_interpreter(growth: Growth, path: str) -> None:
    """Keep what a script's first line starts; nothing for what is no script."""
    head = growth.tree.read(path, 512)
    if not head.startswith(b"#!"):
        return
    line = head[2:].split(b"\n", 1)[0].decode("utf-8", "surrogateescape").split()
    if not line:
        return
    because = f"the first line of {path}"
    run(growth, line[0], "interpreter", because)
    if posixpath.basename(line[0]) in ("env", "busybox"):
        for word in line[1:]:
            if not word.startswith("-") and "=" not in word:
                for place in search(growth, word):
                    run(growth, place, "interpreter", because)
                break
