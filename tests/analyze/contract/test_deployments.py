"""What deployment files set, compared with what is read; the example file; services found without contacting any."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.contract.comparison import compared
from proa.analyze.contract.deployments import units_in
from proa.analyze.contract.example_file import example_text
from proa.analyze.contract.reading import SourceFile
from proa.analyze.contract.services import services_of
from proa.pipeline.contract import _recognised
from proa.records.contract import Variable
from proa.records.evidence import Evidence
from proa.records.preflight import Service

READ = (
    Variable(name="DATABASE_URL", is_required=True, is_secret=True, type="url", where=(Evidence(file="a.js", line=1),)),
    Variable(name="PORT", default="8080", type="integer"),
)


def sets(path: str, text: str, *more: SourceFile) -> list[tuple[str, str, int]]:
    """Names, values and lines of everything that is set."""
    return [
        (one.name, one.value, one.line)
        for unit in units_in([SourceFile(path, text.encode()), *more])
        for one in unit.sets
    ]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        pytest.param("Dockerfile", "FROM a\nENV A=1 B='x y' \\\n  C=2\nENV D e f\n", [("A", "1", 2), ("B", "x y", 2), ("C", "2", 2), ("D", "e f", 4)], id="Dockerfile"),
        pytest.param(".env", "# A=0\nexport A=1\nB='x' # y\n", [("A", "1", 2), ("B", "x", 3)], id=".env"),
        pytest.param("compose.yaml", "services:\n  web:\n    build: .\n    environment:\n      - A=1\n      - B\n", [("A", "1", 5), ("B", "", 6)], id="Compose list"),
        pytest.param("app.service", '[Service]\nEnvironment="A=x y" B=2\n', [("A", "x y", 2), ("B", "2", 2)], id="systemd"),
        pytest.param("fly.toml", '[env]\nA = "1"\n', [("A", "1", 2)], id="fly"),
        pytest.param("app.json", '{"env": {\n"A": {"value": "1"},\n"B": "2"}}', [("A", "1", 2), ("B", "2", 3)], id="Heroku"),
        pytest.param("serverless.yml", "provider:\n  environment:\n    A: 1\nfunctions:\n  f:\n    environment:\n      B: 2\n", [("A", "1", 3), ("B", "2", 7)], id="serverless"),
        pytest.param("Procfile", "web: A=1 node x.js\n", [("A", "1", 1)], id="Procfile"),
        pytest.param("main.tf", 'resource "x" "y" {\n  environment {\n    variables = {\n      A = "1"\n    }\n  }\n}\n', [("A", "1", 4)], id="Terraform"),
        pytest.param("proa.yaml", "image:\n  env:\n    A: 1\n", [("A", "1", 3)], id="proa.yaml"),
        pytest.param(".github/workflows/x.yml", "jobs:\n  deploy:\n    env:\n      A: 1\n", [("A", "1", 4)], id="a workflow that deploys"),
        pytest.param(".github/workflows/x.yml", "jobs:\n  lint:\n    env:\n      A: 1\n", [], id="a workflow that does not"),
    ],
)  # fmt: skip
def test_every_kind_of_file_is_read_with_lines(path: str, text: str, expected: list[tuple[str, str, int]]) -> None:
    assert sets(path, text) == expected


def test_a_container_has_what_config_maps_and_secrets_of_the_same_files_hold() -> None:
    text = (
        "kind: ConfigMap\nmetadata: {name: c}\ndata: {A: '1'}\n---\nkind: Secret\nmetadata: {name: s}\nstringData: {B: hush}\n---\n"
        "kind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n      - name: app\n        image: x\n"
        "        envFrom:\n        - configMapRef: {name: c}\n        - secretRef: {name: s}\n        env:\n        - name: C\n          value: '3'\n"
    )
    assert sets("k8s/app.yaml", text) == [("A", "1", 3), ("B", "", 7), ("C", "3", 20)]


def test_a_kustomization_fills_a_config_map_of_another_file() -> None:
    other = SourceFile("k/kustomization.yaml", b"configMapGenerator:\n- name: c\n  literals: [A=1]\n")
    text = "kind: Deployment\nspec:\n  containers:\n  - name: x\n    image: y\n    envFrom:\n    - configMapRef: {name: c}\n"
    assert sets("k/app.yaml", text, other) == [("A", "1", 3)]


def test_a_chart_is_read_as_text_because_templates_are_no_yaml() -> None:
    files = [
        SourceFile("chart/Chart.yaml", b"name: x\n"),
        SourceFile(
            "chart/templates/d.yaml",
            b"{{- if .x }}\nenv:\n  - name: A\n    value: {{ .Values.a | quote }}\n{{- end }}\n",
        ),
        SourceFile("chart/values.yaml", b"env:\n  B: two\n"),
    ]
    (unit,) = units_in(files)
    assert [(one.name, one.value, one.file, one.line) for one in unit.sets] == [
        ("A", "", "chart/templates/d.yaml", 3),
        ("B", "two", "chart/values.yaml", 2),
    ]


def test_what_is_set_missing_unused_and_misspelt_is_told_with_lines() -> None:
    text = "services:\n  web:\n    build: .\n    environment:\n      PORT: 1\n      OLD_THING: 1\n  db:\n    image: postgres:16\n    environment: {POSTGRES_PASSWORD: x}\n"
    settings, findings = compared(READ, units_in([SourceFile("compose.yaml", text.encode())]))
    assert [(one.name, one.state, one.where[0].line) for one in settings] == [
        ("DATABASE_URL", "missing", 2),
        ("OLD_THING", "unused", 6),
        ("PORT", "set", 5),
    ]
    assert {one.id for one in findings} == {"analyze.variable-missing", "analyze.variable-unused"}


def test_a_misspelt_name_says_which_was_meant_and_is_not_missing_as_well() -> None:
    settings, (finding,) = compared(READ, units_in([SourceFile(".env", b"DATABSE_URL=x\nPORT=1\n")]))
    assert [(one.name, one.state, one.meant) for one in settings] == [
        ("DATABSE_URL", "misspelt", "DATABASE_URL"),
        ("PORT", "set", ""),
    ]
    assert finding.id == "analyze.variable-misspelt"


def test_nothing_is_missing_where_a_secret_that_is_not_here_may_hold_it() -> None:
    text = "kind: Pod\nspec:\n  containers:\n  - name: x\n    image: y\n    envFrom:\n    - secretRef: {name: away}\n    env:\n    - {name: PORT, value: '1'}\n"
    settings, _ = compared(READ, units_in([SourceFile("pod.yaml", text.encode())]))
    assert [(one.name, one.state) for one in settings] == [("PORT", "set")]


def test_the_example_file_says_all_but_a_secret() -> None:
    text = example_text(
        [*READ, Variable(name="MAIL_PASSWORD", is_secret=True, default="hunter2", help="Of the\nrelay")]
    )
    assert "hunter2" not in text
    assert "\n# url, required, secret\nDATABASE_URL=\n" in text
    assert "\n# Of the relay\n# text, secret\n# MAIL_PASSWORD=\n" in text
    assert "\n# integer, default 8080\n# PORT=8080\n" in text


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_default_and_no_help_breaks_out_of_its_line(default: str, words: str) -> None:
    text = example_text([Variable(name="A", default=default, help=words)])
    assert all(not line or line.startswith(("#", "A=")) for line in text.split("\n"))


def found(*files: tuple[str, str], read: tuple[Variable, ...] = ()) -> dict[str, Service]:
    """Services by name."""
    sources = [SourceFile(path, text.encode()) for path, text in files]
    return {one.name: one for one in services_of(read, units_in(sources), sources, _recognised)}


def test_a_service_is_named_by_its_variable_and_its_driver_says_what_it_is() -> None:
    services = found(("package.json", '{"dependencies": {"pg": "8"}}'), read=READ)
    assert {name: one.kind for name, one in services.items()} == {"DATABASE_URL": "postgres"}


def test_the_address_comes_from_the_deployment_file_without_its_password() -> None:
    services = found((".env", "DATABASE_URL=postgres://app:hunter2@db:5433/x?sslmode=require"), read=READ)
    one = services["DATABASE_URL"]
    assert (one.kind, one.address, one.uses_tls, one.authentication) == ("postgres", "db:5433", True, "password")
    assert [(place.file, place.line) for place in one.where] == [("a.js", 1), (".env", 1)]
    assert "hunter2" not in str(services)


def test_addresses_written_in_source_are_services() -> None:
    services = found(
        (
            "src/a.py",
            "x = 'amqp://guest:hush1234@queue:5672/'\nurl = 'https://api.weather.io/v1'\nh = {'X-API-Key': k}\n",
        )
    )
    assert {name: (one.kind, one.address, one.authentication) for name, one in services.items()} == {
        "api.weather.io": ("http", "https://api.weather.io:443", "api-key"),
        "queue": ("rabbitmq", "queue:5672", "password"),
    }
    assert "hush1234" not in str(services)


def test_a_compose_service_that_no_variable_names_is_one_too() -> None:
    services = found(("compose.yaml", "services:\n  db:\n    image: postgres:16\n"))
    assert (services["db"].kind, services["db"].address) == ("postgres", "db:5432")


@given(st.binary(max_size=400))
def test_any_bytes_in_a_deployment_file_are_read_without_an_error(data: bytes) -> None:
    for path in (
        "Dockerfile",
        "compose.yaml",
        "k.yaml",
        "app.json",
        "fly.toml",
        "main.tf",
        "a.service",
        ".env",
        "serverless.yml",
    ):
        units_in([SourceFile(path, b"kind: x\nenv: y\n" + data), SourceFile(path, data)])
