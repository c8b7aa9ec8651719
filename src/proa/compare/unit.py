"""A program as a service of systemd: the unit with everything taken away that it does not need, and how to install it.

Source of the directives: systemd.exec(5), systemd.service(5), systemd.resource-control(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

_LOWEST_FREE_PORT = 1024
_SPARE = 2
"""Of the memory seen in the trial, how much is allowed (arbitrary; a limit at the peak would kill it)."""
_LEAST_MEMORY = 64 << 20


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the program."""

    name: str
    description: str
    arguments: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    rss_bytes: int | None = None
    """Its peak in the trial."""
    is_limited: bool = True
    writes: bool = False
    """It was seen to write files."""
    makes_code: bool = False
    """It makes machine code while it runs: then memory may be written and run."""
    stop_timeout_s: float = 10.0


_COMPILERS = (
    "github.com/tetratelabs/wazero",
    "github.com/bytedance/sonic",
    "github.com/bytecodealliance/wasmtime-go",
    "github.com/wasmerio/wasmer-go",
    "rogchap.com/v8go",
    "github.com/tommie/v8go",
)
"""Go modules that make machine code while the program runs, by their own documentation."""


def makes_code(packages: Iterable[str]) -> bool:
    """Say whether one of a program's packages compiles at run time.

    >>> makes_code(["fmt", "github.com/bytedance/sonic/decoder"]), makes_code(["github.com/bytedance/sonicx"])
    (True, False)
    """
    return any(f"{package}/".startswith(f"{one}/") for package in packages for one in _COMPILERS)


def unit_name(program: str) -> str:
    """Return a name that systemd and a file system take.

    >>> unit_name("My App@2"), unit_name("-")
    ('my-app-2', 'app')
    """
    return re.sub(r"[^a-z0-9._-]+", "-", program.lower()).strip("-._")[:64] or "app"


def unit_text(unit: Unit) -> str:
    """Return the unit's file."""
    sections = {"Unit": _unit(unit), "Service": _service(unit), "Install": ["WantedBy=multi-user.target"]}
    return "\n".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines) for name, lines in sections.items())


def _unit(unit: Unit) -> list[str]:
    return [
        f"Description={_one_line(unit.description)}",
        "After=network-online.target",
        "Wants=network-online.target",
        "StartLimitIntervalSec=60",
        "StartLimitBurst=5",
    ]


def _service(unit: Unit) -> list[str]:
    words = [f"/opt/{unit.name}/bin/{unit.name}", *(quoted(word) for word in unit.arguments)]
    is_low = any(port < _LOWEST_FREE_PORT for port in unit.ports)
    capabilities = "CAP_NET_BIND_SERVICE" if is_low else ""
    return [
        "Type=exec",
        f"ExecStart={' '.join(words)}",
        f"EnvironmentFile=-/etc/{unit.name}/env",
        "Restart=on-failure",
        "RestartSec=1",
        f"TimeoutStopSec={max(1, round(unit.stop_timeout_s))}",
        "# A user that exists only while it runs; nothing on disk belongs to it but its own folder.",
        "DynamicUser=yes",
        *([f"StateDirectory={unit.name}", f"WorkingDirectory=/var/lib/{unit.name}"] if unit.writes else []),
        "UMask=0077",
        *_memory(unit),
        "TasksMax=512",
        "",
        "# Rights",
        f"CapabilityBoundingSet={capabilities}",
        f"AmbientCapabilities={capabilities}",
        "NoNewPrivileges=yes",
        # In a namespace of its own the capability would not hold for the machine's ports.
        *([] if is_low else ["PrivateUsers=yes"]),
        "RestrictNamespaces=yes",
        "RestrictRealtime=yes",
        "RestrictSUIDSGID=yes",
        "LockPersonality=yes",
        *([] if unit.makes_code else ["MemoryDenyWriteExecute=yes"]),
        "SystemCallArchitectures=native",
        "SystemCallFilter=@system-service",
        "SystemCallFilter=~@privileged @resources",
        "SystemCallErrorNumber=EPERM",
        "",
        "# What it sees",
        "ProtectSystem=strict",
        "ProtectHome=yes",
        "PrivateTmp=yes",
        "PrivateDevices=yes",
        "ProtectClock=yes",
        "ProtectControlGroups=yes",
        "ProtectHostname=yes",
        "ProtectKernelLogs=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelTunables=yes",
        # Not ProcSubset=pid: it hides /proc/sys, where Go reads how long the queue of a listener may be.
        "ProtectProc=invisible",
        "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        "RemoveIPC=yes",
    ]


def _memory(unit: Unit) -> list[str]:
    if unit.rss_bytes is None or not unit.is_limited:
        return []
    wanted = max(_SPARE * unit.rss_bytes, _LEAST_MEMORY)
    return [f"MemoryMax={-(-wanted // (1 << 20))}M"]


def quoted(word: str) -> str:
    r"""Return one argument as ExecStart takes it: no expansion of ``%`` and ``$``, nothing that ends it.

    >>> quoted("--port=8080"), quoted('say "50%" of $HOME'), quoted("a\nb")
    ('--port=8080', '"say \\"50%%\\" of $$HOME"', '"a\\nb"')
    """
    safe = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[A-Za-z0-9_./:=,@+%$-]+", safe) and word != ";":
        return safe
    escaped = (
        safe.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{"".join(sign if sign.isprintable() else " " for sign in escaped)}"'


def _one_line(text: str) -> str:
    return (
        " ".join("".join(sign if sign.isprintable() else " " for sign in text).split()).replace("%", "%%") or "program"
    )


def install_text(unit: Unit, *, digest: str, variables: tuple[str, ...]) -> str:
    """Return the notes that travel in the archive."""
    name = unit.name
    named = "".join(f"\n- `{variable}`" for variable in variables) or "\n(none was seen)"
    ports = ", ".join(map(str, unit.ports)) or "none was seen"
    return f"""# {name}

Install, as root, from this folder:

```sh
{chr(10).join(install_commands(name))}
```

A new version: unpack it, then the first command and `systemctl restart {name}`. Back: the same with the old archive.
Remove: `systemctl disable --now {name} && rm -r /opt/{name} /etc/systemd/system/{name}.service`.

Look: `systemctl status {name}`, `journalctl -u {name}`, `systemd-analyze security {name}`.

The program has the digest {digest}. Ports: {ports}.

Variables it reads, set in `/etc/{name}/env` (`NAME=value`, mode 0600):{named}
"""


def install_commands(name: str) -> tuple[str, ...]:
    """Return what is typed the first time, in the unpacked folder."""
    return (
        f"install -D -m 0755 bin/{name} /opt/{name}/bin/{name}",
        f"install -D -m 0600 env.example /etc/{name}/env",
        f"install -D -m 0644 {name}.service /etc/systemd/system/{name}.service",
        "systemctl daemon-reload",
        f"systemctl enable --now {name}",
    )


def environment_text(variables: tuple[str, ...]) -> str:
    r"""Return the file of variables, all of them left out.

    >>> environment_text(("PORT",))
    '# Variables the program reads; take the sign away in front of those you set.\n#PORT=\n'
    """
    head = "# Variables the program reads; take the sign away in front of those you set.\n"
    return head + "".join(f"#{name}=\n" for name in variables if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name))
