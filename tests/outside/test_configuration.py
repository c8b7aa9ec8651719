"""proa.yaml and .ko.yaml: what is read, and how wrong fields are named."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.errors import WrongConfiguration
from proa.outside.configuration import (
    configuration_schema,
    find_configuration,
    load_configuration,
    parse_configuration,
)
from proa.records.configuration import Configuration


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_configuration("") == Configuration()
    assert parse_configuration("# only words\n") == Configuration()
    assert parse_configuration("build:\n  # strip: all\nimage:\n") == Configuration()


def test_every_group_is_read() -> None:
    read = parse_configuration(
        """
build:
  flags: ["-race"]
  ldflags: ["-X main.version={{.Git.Tag}}"]
  strip: all
  cgo: on
image:
  user: 1000:10
  files:
    - {from: templates, to: /templates, mode: 0755}
trial:
  start_timeout_s: 5
  server: false
platforms: [linux/amd64, linux/arm64]
programs:
  ./cmd/api:
    image: {args: [serve]}
"""
    )
    assert read.build.cgo == "on"
    assert read.image.user == "1000:10"
    assert read.image.files[0].mode == "0755"
    assert read.trial.server is False
    assert read.programs["./cmd/api"].image is not None
    assert read.programs["./cmd/api"].image.args == ("serve",)


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        pytest.param("build: {stripp: all}", "proa.yaml:1: build.stripp", "did you mean build.strip?", id="misspelt"),
        pytest.param("strip: all", "proa.yaml:1: strip", "did you mean build.strip?", id="in the wrong group"),
        pytest.param("build: {strip: dwarff}", "build.strip", "did you mean dwarf?", id="misspelt choice"),
        pytest.param("repo: 1.10", "repo", 'put it in quotes: "1.10"', id="a float for a text"),
        pytest.param("image:\n  env:\n    A: x\n    P: 8080", ":4: image.env.P", '"8080"', id="a number in env"),
        pytest.param("image:\n  env: {A: x, D: true}", ":2: image.env.D", '"true"', id="a boolean in env"),
        pytest.param("build:\n  ldflags: -s -w", ":2: build.ldflags", '["-s -w"]', id="a text for a list"),
        pytest.param("trial: {server: yes}", "trial.server", "true or false", id="yes for a boolean"),
        pytest.param("trial: {start_timeout_s: -1}", "trial.start_timeout_s", "", id="below the bound"),
        pytest.param("build:\n\tstrip: all", "proa.yaml:2", "spaces, never by tabs", id="a tab"),
        pytest.param("repo: a\nbuild: {}\nrepo: b", "proa.yaml:3: repo is given twice", "", id="given twice"),
        pytest.param("budgets: {image: 20MB}", "budgets.image", "{max: 20MB}", id="a size for a budget"),
        pytest.param("budgets: {files: {/a: 1}}", "budgets.files./a", "{max: 1}", id="a size for a file's budget"),
        pytest.param("- build", "expected mapping, got list", "", id="a list at the top"),
        pytest.param("build: {env: {<<: {a: b}}}", "<<", "", id="a merge key"),
        pytest.param("repo: !!python/name:os.system x", "the tag !!python/name", "", id="a python tag"),
        pytest.param("repo: *nowhere", "undefined alias", "", id="an alias to nothing"),
        pytest.param("a: 1\n---\nb: 2", "proa.yaml:2", "", id="two documents"),
        pytest.param("image: {files: [{from: a}]}", "image.files[0]", "", id="a field is missing"),
        pytest.param(
            "programs: {a: {build: {}}, b: {buildd: {}}}",
            "programs.b.buildd",
            "programs.b.build",
            id="in one of several",
        ),
    ],
)
def test_a_wrong_field_is_named_with_what_to_do(text: str, what: str, hint: str) -> None:
    with pytest.raises(WrongConfiguration) as caught:
        parse_configuration(text)
    assert what in caught.value.what
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)),
            id="billion laughs",
        ),
        pytest.param("a: &x [*x]", id="an alias to itself"),
        pytest.param("[" * 20_000, id="deep nesting"),
        pytest.param("a: " + "b" * 300_000, id="too large"),
        pytest.param('"\\UFFFFFFFF"', id="no such character"),
    ],
)
def test_a_hostile_file_is_refused(text: str) -> None:
    with pytest.raises(WrongConfiguration):
        parse_configuration(text)


@given(st.text(max_size=80) | st.text(alphabet="{}[]:,-&*!|>'\"%@` \t\nab01.~?#<\\U", max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    said = "proa.yaml"
    try:
        parse_configuration(text)
    except WrongConfiguration as error:
        said = error.what
    assert said.startswith("proa.yaml")


_WORDS = st.text(alphabet="abcXYZ09 -=.:/'\"{}", max_size=12)


@given(env=st.dictionaries(_WORDS, _WORDS, max_size=4), flags=st.lists(_WORDS, max_size=4))
def test_what_is_written_as_json_reads_back(env: dict[str, str], flags: list[str]) -> None:
    written = {"build": {"env": env, "flags": flags}}
    assert parse_configuration(json.dumps(written)) == msgspec.convert(written, Configuration)


def _project(folder: Path) -> Path:
    package = folder / "module" / "cmd" / "api"
    package.mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / "module" / "go.mod").write_text("module example.com/a\n")
    return package


def test_the_nearest_file_up_to_the_repository_is_taken(tmp_path: Path) -> None:
    package = _project(tmp_path / "repository")
    (tmp_path / "proa.yaml").write_text("repo: outside\n")
    assert find_configuration(package, environ={}) is None
    (tmp_path / "repository" / "proa.yaml").write_text("repo: root\n")
    assert load_configuration(package, environ={}).configuration.repo == "root"
    (tmp_path / "repository" / "module" / "proa.yaml").write_text("repo: module\n")
    assert load_configuration(package, environ={}).configuration.repo == "module"


def test_without_a_repository_the_module_ends_the_search(tmp_path: Path) -> None:
    package = tmp_path / "module" / "cmd"
    package.mkdir(parents=True)
    (tmp_path / "module" / "go.mod").write_text("module example.com/a\n")
    (tmp_path / "proa.yaml").write_text("repo: above\n")
    assert find_configuration(package, environ={}) is None
    (tmp_path / "module" / "proa.yaml").write_text("repo: module\n")
    assert find_configuration(package, environ={}) == tmp_path / "module" / "proa.yaml"


def test_ko_is_asked_only_where_there_is_no_proa_yaml(tmp_path: Path) -> None:
    package = _project(tmp_path)
    (tmp_path / ".ko.yaml").write_text("defaultBaseImage: example.com/base\n")
    assert load_configuration(package, environ={}).configuration.image.base == "example.com/base"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".ko.yaml").write_text("defaultBaseImage: example.com/other\n")
    chosen = load_configuration(package, environ={"KO_CONFIG_PATH": str(elsewhere)})
    assert chosen.configuration.image.base == "example.com/other"
    (tmp_path / "proa.yaml").write_text("repo: mine\n")
    assert load_configuration(package, environ={"KO_CONFIG_PATH": str(elsewhere)}).configuration.image.base == "auto"


def test_a_ko_config_path_to_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WrongConfiguration, match="KO_CONFIG_PATH"):
        load_configuration(tmp_path, environ={"KO_CONFIG_PATH": "nowhere"})


def _ko(tmp_path: Path, text: str) -> Configuration:
    (tmp_path / ".ko.yaml").write_text(text)
    return load_configuration(tmp_path, environ={}).configuration


def test_the_fields_of_ko_are_laid_into_the_settings(tmp_path: Path) -> None:
    read = _ko(
        tmp_path,
        """
defaultBaseImage: gcr.io/distroless/static
defaultPlatforms: [linux/amd64, linux/arm64]
defaultEnv: [GOEXPERIMENT=none, "A=b=c"]
defaultFlags: -v -tags netgo
defaultLdflags: ["-s -w"]
baseImageOverrides:
  example.com/a/cmd/tool: alpine
builds:
- id: api
  dir: ./services
  main: ./cmd/api/main.go
  env: [CGO_ENABLED=1, B=2]
  ldflags: ["-X main.version={{.Git.Tag}}"]
- id: root
goreleaser: {is: not ours}
""",
    )
    assert read.image.base == "gcr.io/distroless/static"
    assert read.platforms == ("linux/amd64", "linux/arm64")
    assert read.build.env == {"GOEXPERIMENT": "none", "A": "b=c"}
    assert read.build.flags == ("-v", "-tags", "netgo")
    assert read.build.ldflags == ("-s -w",)
    assert set(read.programs) == {"example.com/a/cmd/tool", "./services/cmd/api", "."}
    api = read.programs["./services/cmd/api"].build
    assert api is not None
    assert (api.cgo, api.env, api.ldflags) == ("on", {"B": "2"}, ("-X main.version={{.Git.Tag}}",))


def test_what_ko_can_and_proa_cannot_is_said(tmp_path: Path) -> None:
    (tmp_path / ".ko.yaml").write_text("builds:\n- main: .\n  linux_capabilities: net_bind_service\n")
    found = load_configuration(tmp_path, environ={}).findings
    assert [finding.id for finding in found] == ["configuration.capabilities-left-out"]
    assert "builds[0].linux_capabilities" in found[0].message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        pytest.param("defaultEnv: [A]", ".ko.yaml:1: defaultEnv[0]", id="no equals sign"),
        pytest.param("builds: {a: b}", "builds: this is no list", id="builds is a mapping"),
        pytest.param("builds:\n- main: ../../x", "builds[0]", id="outside"),
        pytest.param("defaultPlatforms: all", "defaultPlatforms", id="all platforms"),
        pytest.param("defaultFlags: [{a: b}]", "defaultFlags[0]", id="a mapping for a text"),
        pytest.param("- a", "this is no mapping", id="a list at the top"),
    ],
)
def test_a_wrong_field_of_ko_is_named(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(WrongConfiguration) as caught:
        _ko(tmp_path, text)
    assert what in caught.value.what


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "proa.yaml").write_bytes(b"repo: a\nbuild: \xff\n")
    with pytest.raises(WrongConfiguration, match=r"proa\.yaml:2: the file is not UTF-8"):
        load_configuration(tmp_path, environ={})


def test_the_schema_names_every_group() -> None:
    schema = configuration_schema()
    text = json.dumps(schema)
    assert schema["$ref"] == "#/$defs/Configuration"
    assert set(schema["$defs"]["Configuration"]["properties"]) >= {"build", "image", "trial", "platforms", "programs"}
    assert '"dwarf"' in text
