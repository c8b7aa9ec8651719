"""What the source says of the program's configuration: variables it reads, ports it listens on, routes it serves.

Only the packages of the program's own module are read, and of their files only those that mention a name of interest;
only literal values count, followed through constants, flags' defaults and the program's own small functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from proa.analyze.contract.go import read_go
from proa.analyze.contract.go_source import place_of
from proa.analyze.files import Sources
from proa.analyze.syntax import File, arguments, called_name, enclosing_declaration, qualified_name, text_of
from proa.analyze.texts import HOLE, Values
from proa.records.contract import Variable
from proa.records.evidence import Evidence
from proa.records.project import EnvironmentVariable, Facts, Main, Package, Port, Route

if TYPE_CHECKING:
    from tree_sitter import Node

_LISTENS = ("ListenAndServe", "ListenAndServeTLS", "Listen", "Run", "RunTLS", "Start", "StartTLS", "Serve")
_FLAGS = ("Int", "IntVar", "IntP", "IntVarP", "Uint", "UintVar", "String", "StringVar", "StringP", "StringVarP")
_VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
_ROUTES = ("Handle", "HandleFunc", "HandlerFunc", "Handler", "Any", "All", "ANY", "Method", "MethodFunc")
_METHODS = {**{verb: verb for verb in _VERBS}, **{verb.title(): verb for verb in _VERBS}}
_HEALTH = re.compile(
    r"(?i)/(?:.*/)?(?:-/)?(?:health|healthz|healthcheck|health-check|_health|livez|live|liveness|alive|readyz|ready"
    r"|readiness|ping|status|heartbeat|up|healthy)(?:/(?:live|ready|liveness|readiness|check))?/?"
)
"""Names of health routes: Kubernetes' own, Spring's, Prometheus' and those often seen (collected by hand)."""
_ADDRESS = re.compile(r"(?:tcp://)?([A-Za-z0-9.*-]*|\[[0-9a-fA-F:]*\]):([0-9]{1,5})")
_WORDS = re.compile(
    rb"\b(?:" + "|".join([*_LISTENS, *_FLAGS, *_ROUTES, *_METHODS, "AddFlags"]).encode() + rb")(?:\[[^\]]*\])?\("
)
_SERVER = re.compile(rb"\bAddr:")
_STEPS = 60
"""How far a value is followed: a few files (arbitrary; keeps 300 files below 0.3 s)."""
_LITERAL_ADDRESS = re.compile(rb'"(?:0\.0\.0\.0|localhost|127\.0\.0\.1|\[::\])?:[0-9]{2,5}"')


def read_facts(main: Main, packages: Sequence[Package]) -> Facts:
    """Return what the program's own source says; empty where it says nothing literal."""
    sources = Sources(packages, main=main.import_path, steps=_STEPS)
    reader = _Reader(sources, main)
    contract = read_go(sources, main)
    for file in reader.files(_WORDS, _SERVER):
        reader.read(file)
    read = [variable for variable in contract.variables if variable.kind == "environment"]
    for variable in read:
        reader.read_variable(variable)
    if not reader.ports:
        # Nothing is listened on by a literal address, but one is mentioned: a dependency's flag default.
        reader.read_addresses()
    return Facts(
        environment=tuple(
            EnvironmentVariable(name=variable.name, default=variable.default, evidence=variable.where[0])
            for variable in read
            if not variable.name.endswith("*")
        ),
        variables=contract.variables,
        findings=contract.findings,
        ports=tuple(sorted(reader.ports.values(), key=lambda found: found.number)),
        routes=tuple(sorted(reader.routes.values(), key=lambda found: (found.path, found.method))),
    )


class _Reader:
    """Reads one program's files and gathers what they say, the first of each name."""

    def __init__(self, sources: Sources, main: Main) -> None:
        self.sources = sources
        self.main = main
        self.ports: dict[int, Port] = {}
        self.routes: dict[tuple[str, str], Route] = {}
        self._handlers: dict[str, Callable[[File, Node], None]] = {
            **dict.fromkeys(_LISTENS, self._listening),
            **dict.fromkeys(_FLAGS, self._flag),
            **dict.fromkeys((*_ROUTES, *_METHODS), self._route),
        }

    def files(self, *patterns: re.Pattern[bytes]) -> Iterator[File]:
        """Yield the files that any pattern is found in, the main package's first."""
        own = sorted(self.sources.local, key=lambda package: package.import_path != self.main.import_path)
        for package in own:
            for name in package.files:
                text = self.sources.text(package, name)
                if any(pattern.search(text) for pattern in patterns):
                    file = self.sources.file(package, name)
                    if file is not None:
                        yield file

    def read(self, file: File) -> None:
        """Gather what one file says."""
        for call in file.around(_WORDS, "call_expression"):
            handler = self._handlers.get(called_name(call))
            if handler is not None:
                handler(file, call)
        for element in file.around(_SERVER, "keyed_element"):
            self._server(file, element)

    def read_addresses(self) -> None:
        """Gather the literals that look like an address to listen on, wherever they stand."""
        for file in self.files(_LITERAL_ADDRESS):
            for node in file.around(_LITERAL_ADDRESS, "interpreted_string_literal"):
                self._add_ports(self.sources.values(node, file), file, node)

    def read_variable(self, variable: Variable) -> None:
        """Gather the port that a variable's default says."""
        default, where = variable.default, variable.where[0]
        if variable.name.endswith("PORT") and default.isdigit():
            self._add_port_at(int(default), "", where)
        elif variable.name.endswith(("PORT", "ADDR", "ADDRESS", "LISTEN")):
            found = _ADDRESS.fullmatch(default)
            if found is not None:
                self._add_port_at(int(found[2]), default, where)

    # Ports

    def _listening(self, file: File, call: Node) -> None:
        name, qualified, given = called_name(call), qualified_name(call, file), arguments(call)
        if name == "Serve" or (qualified.startswith("os/exec.")):
            return
        place = 1 if qualified in ("net.Listen", "crypto/tls.Listen", "net.ListenTCP") else 0
        if name == "Listen" and len(given) == 3:
            place = 2
        for node in given[place : place + 1]:
            self._add_ports(self._values(node, file), file, call)

    def _server(self, file: File, element: Node) -> None:
        value = element.named_children[-1]
        if value.named_children:
            self._add_ports(self._values(value.named_children[0], file), file, element)

    def _flag(self, file: File, call: Node) -> None:
        literals = [self._first(node, file) for node in arguments(call) if node.type.endswith("literal")]
        if len(literals) < 2 or not re.search(r"(?i)port|addr|listen|bind|http", literals[0]):
            return
        for text in literals[1:3]:
            if text.isdigit() and "port" in literals[0].lower():
                self._add_port(int(text), "", file, call)
            self._add_ports(frozenset({text}), file, call)

    def _add_ports(self, texts: Values, file: File, node: Node) -> None:
        for text in sorted(texts):
            found = _ADDRESS.fullmatch(text)
            if found is not None:
                self._add_port(int(found[2]), text, file, node)

    def _add_port(self, number: int, address: str, file: File, node: Node) -> None:
        self._add_port_at(number, address, self._evidence(address or str(number), file, node))

    def _add_port_at(self, number: int, address: str, evidence: Evidence) -> None:
        if 0 < number < 65536 and number not in self.ports:
            self.ports[number] = Port(number=number, address=address, evidence=evidence)

    # Routes

    def _route(self, file: File, call: Node) -> None:
        name, given = called_name(call), arguments(call)
        qualified = qualified_name(call, file)
        # A route has a handler; Get("x") alone is a look-up of something else.
        if len(given) < 2 or (qualified != name and not qualified.startswith("net/http.Handle")):
            return
        method, nodes = _METHODS.get(name, ""), given[:1]
        if name in ("Method", "MethodFunc", "Handler", "HandlerFunc") and len(given) >= 3:
            method, nodes = self._first(given[0], file), given[1:2]
        for text in sorted(self._values(nodes[0], file)):
            verb, path = _split_pattern(text)
            if path.startswith("/") and HOLE not in path:
                whole = self._prefix(file, call) + path
                self._add_route(whole, verb or method or _chained_method(call), file, call)

    def _prefix(self, file: File, call: Node) -> str:
        """Return the path of the group a route is in: ``r.Group("/api")``, ``r.Route("/api", func(r …) {…})``."""
        node, prefix = call.parent, ""
        while node is not None:
            if node.type == "call_expression" and called_name(node) == "Route" and arguments(node):
                prefix = self._first(arguments(node)[0], file) + prefix
            node = node.parent
        function = call.child_by_field_name("function")
        receiver = function.child_by_field_name("operand") if function is not None else None
        for _ in range(4):
            made = _group_of(receiver)
            if made is None:
                break
            prefix = self._first(arguments(made)[0], file) + prefix
            function = made.child_by_field_name("function")
            receiver = function.child_by_field_name("operand") if function is not None else None
        return prefix if prefix.startswith("/") and HOLE not in prefix else ""

    def _add_route(self, path: str, method: str, file: File, node: Node) -> None:
        path = re.sub("//+", "/", path)
        if (path, method) not in self.routes:
            is_health = _HEALTH.fullmatch(path) is not None and method in ("", "GET", "HEAD")
            self.routes[path, method] = Route(
                path=path, method=method, is_health=is_health, evidence=self._evidence(path, file, node)
            )

    # Shared

    def _values(self, node: Node, file: File) -> Values:
        return self.sources.values(node, file)

    def _first(self, node: Node, file: File) -> str:
        known = sorted(
            (text for text in self._values(node, file) if HOLE not in text), key=lambda text: (not text, text)
        )
        return known[0] if known else ""

    def _evidence(self, symbol: str, file: File, node: Node) -> Evidence:
        return Evidence(
            package=file.package.import_path,
            symbol=symbol,
            file=place_of(file, self.main),
            line=node.start_point[0] + 1,
        )


def _split_pattern(text: str) -> tuple[str, str]:
    """Return the method and path of a pattern of ServeMux; the host is left out.

    >>> _split_pattern("GET example.com/healthz"), _split_pattern("/x/{$}")
    (('GET', '/healthz'), ('', '/x/'))
    """
    method, space, rest = text.partition(" ")
    pattern = rest.strip() if space and method.isupper() else text
    host, slash, path = pattern.partition("/")
    path = slash + path.removesuffix("{$}")
    is_host = host == "" or "." in host or ":" in host
    return method if space else "", path if is_host else ""


def _chained_method(call: Node) -> str:
    """Return the method of gorilla's ``r.HandleFunc(…).Methods("GET")``."""
    outer = call.parent.parent if call.parent is not None else None
    if outer is not None and outer.type == "call_expression" and called_name(outer) == "Methods":
        given = [text_of(node).strip('"') for node in arguments(outer)]
        return given[0] if len(given) == 1 and given[0] in _VERBS else ""
    return ""


def _group_of(receiver: Node | None) -> Node | None:
    """Return the call of Group or PathPrefix that made a receiver, where the same function shows it."""
    if receiver is None or receiver.type != "identifier":
        return None
    name, scope = text_of(receiver), enclosing_declaration(receiver)
    waiting = [scope] if scope is not None else []
    while waiting:
        node = waiting.pop()
        if node.type == "short_var_declaration":
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if text_of(left) == name and right is not None:
                made = right.named_children[0]
                if made.type == "call_expression" and called_name(made) in ("Group", "Party") and arguments(made):
                    return made
        waiting.extend(node.named_children)
    return None
