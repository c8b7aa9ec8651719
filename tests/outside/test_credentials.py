"""Where credentials are found, and that they stay hidden."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from proa.errors import ToolMissing, WrongConfiguration
from proa.outside.access import Access
from proa.outside.command import Ran
from proa.outside.credentials import ANONYMOUS, find_credential, read_helper_answer


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


class Helpers:
    """A runner that answers for credential helpers and keeps what it was asked."""

    def __init__(self, **answers: str | None) -> None:
        self.answers = answers
        self.asked: list[tuple[tuple[str, ...], bytes | None]] = []

    def __call__(self, argv: Sequence[str], *, stdin: bytes | None = None, **_: Any) -> Ran:
        self.asked.append((tuple(argv), stdin))
        name = argv[0].removeprefix("docker-credential-")
        if name not in self.answers:
            raise ToolMissing(f"{argv[0]} was not found on PATH")
        secret = self.answers[name]
        if secret is None:
            out = b"credentials not found in native keychain\n"
            return Ran(argv=tuple(argv), status=1, stdout=out, stderr=b"", seconds=0)
        out = json.dumps({"ServerURL": "x", "Username": name, "Secret": secret}).encode()
        return Ran(argv=tuple(argv), status=0, stdout=out, stderr=b"", seconds=0)


def find(folder: Path, settings: object, *, registry: str = "r.example", path: str = "a/b", run: Any = None) -> Any:
    (folder / "config.json").write_text(json.dumps(settings))
    access = Access(environ={"DOCKER_CONFIG": str(folder)}, run=run or Helpers())
    return find_credential(registry, path, access=access)


def test_a_helper_for_the_registry_comes_before_the_store_and_the_file(tmp_path: Path) -> None:
    helpers = Helpers(exact="one", general="two")
    settings = {"credHelpers": {"r.example": "exact"}, "credsStore": "general", "auths": {"r.example": auth("u:three")}}
    assert find(tmp_path, settings, run=helpers).password == "one"
    assert helpers.asked == [(("docker-credential-exact", "get"), b"r.example")]


def test_the_store_comes_before_the_file(tmp_path: Path) -> None:
    settings = {"credsStore": "general", "auths": {"r.example": auth("u:three")}}
    assert find(tmp_path, settings, run=Helpers(general="two")).password == "two"


def test_what_the_store_does_not_know_is_taken_from_the_file(tmp_path: Path) -> None:
    settings = {"credsStore": "general", "auths": {"r.example": auth("u:three")}}
    assert find(tmp_path, settings, run=Helpers(general=None)).password == "three"


def test_a_missing_helper_is_remembered_for_the_error(tmp_path: Path) -> None:
    found = find(tmp_path, {"credsStore": "desktop"})
    assert (found.basic, found.trouble) == ("", "docker-credential-desktop was not found on PATH")


@pytest.mark.parametrize(
    ("registry", "path", "key"),
    [
        pytest.param("r.example", "a", "r.example", id="host"),
        pytest.param("r.example:5000", "a", "https://r.example:5000", id="address"),
        pytest.param("r.example", "a", "http://r.example/v1/", id="version 1"),
        pytest.param("r.example", "team/app", "r.example/team", id="podman's namespace"),
        pytest.param("registry-1.docker.io", "library/x", "https://index.docker.io/v1/", id="docker hub"),
        pytest.param("registry-1.docker.io", "library/x", "docker.io", id="docker hub, podman"),
    ],
)
def test_keys_of_auths(tmp_path: Path, registry: str, path: str, key: str) -> None:
    found = find(tmp_path, {"auths": {key: auth("u:pa:ss")}}, registry=registry, path=path)
    assert (found.username, found.password) == ("u", "pa:ss")


@pytest.mark.parametrize("key", ["r.example.evil", "example", "r.example:5000", "r.example/other"])
def test_another_registrys_credential_is_not_shown(tmp_path: Path, key: str) -> None:
    assert find(tmp_path, {"auths": {key: auth("u:p")}}) == ANONYMOUS


def test_the_most_exact_namespace_wins(tmp_path: Path) -> None:
    settings = {"auths": {"r.example": auth("u:1"), "r.example/a": auth("u:2"), "r.example/a/b": auth("u:3")}}
    assert find(tmp_path, settings).password == "3"


def test_podmans_file_is_read_after_dockers(tmp_path: Path) -> None:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "auth.json").write_text(json.dumps({"auths": {"r.example": auth("u:podman")}}))
    environ = {"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)}
    assert find_credential("r.example", "a", access=Access(environ=environ)).password == "podman"


def test_a_token_is_no_password(tmp_path: Path) -> None:
    found = find(tmp_path, {"auths": {"r.example": auth("<token>:refresh-me")}})
    assert (found.identity_token, found.basic) == ("refresh-me", "")


def test_no_file_is_nobody() -> None:
    assert find_credential("r.example", "a", access=Access(environ={"HOME": "/nonexistent"})) == ANONYMOUS


@pytest.mark.parametrize(
    "content", ["", "[]", '{"auths": {"r.example": {"auth": "%%%s3cret"}}}', "{s3cret", "\x00", "[" * 10**6]
)
def test_a_broken_file_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    access = Access(environ={"DOCKER_CONFIG": str(tmp_path)})
    if not content:
        assert find_credential("r.example", "a", access=access) == ANONYMOUS
        return
    with pytest.raises(WrongConfiguration) as wrong:
        find_credential("r.example", "a", access=access)
    assert "config.json" in str(wrong.value)
    assert "s3cret" not in f"{wrong.value} {wrong.value.hint} {wrong.value.output}"
    assert wrong.value.__cause__ is None


def test_a_credential_shows_no_secret() -> None:
    found = read_helper_answer(b'{"ServerURL":"x","Username":"u","Secret":"hidden-word"}')
    assert found is not None
    assert "hidden-word" not in f"{found!r} {found}"
    assert "hidden-word" in found.secrets


@pytest.mark.parametrize("content", [b"", b"[]", b'{"Username":1}', b"\xff", b"[" * 100_000])
def test_an_answer_that_is_none_is_none(content: bytes) -> None:
    assert read_helper_answer(content) is None
