"""What folders and files are for by their names alone, as the ecosystems and their tools have them."""

from __future__ import annotations

import re
from typing import Final

from proa.records.project_layout import LayoutRole

_FOLDERS: dict[LayoutRole, str] = {
    "sources": "src lib app apps pkg internal cmd api server client backend frontend services packages modules crates "
    "core source sources include web",
    "configuration": "config conf configs configuration settings etc .vscode .idea .devcontainer .storybook .config",
    "tests": "test tests spec specs __tests__ e2e integration testdata test-data fixtures testing",
    "documentation": "doc docs documentation man website",
    "assets": "assets static public images img media fonts styles templates views locales i18n translations",
    "generated": "dist build out output target gen generated coverage .next .nuxt bin",
    "vendored": "vendor third_party third-party thirdparty external node_modules .yarn",
    "infrastructure": "deploy deployment deployments k8s kubernetes infra infrastructure terraform ansible helm "
    "kustomize manifests docker ops .docker iac pulumi monitoring",
    "chart": "chart charts",
    "ci": ".github .gitlab .circleci .ci ci .buildkite .woodpecker .teamcity",
    "migrations": "migrations migration db-migrations alembic flyway",
    "scripts": "script scripts tools hack utils contrib .husky",
    "examples": "example examples sample samples demo demos tutorial tutorials",
}
BY_FOLDER: Final[dict[str, LayoutRole]] = {name: role for role, names in _FOLDERS.items() for name in names.split()}

_FILES: tuple[tuple[LayoutRole, str, str], ...] = (
    ("dockerfile", r"(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?|[\w.-]+\.[Dd]ockerfile", "builds an image"),
    ("compose", r"(?:docker-)?compose(?:\.[\w-]+)*\.ya?ml", "starts services together"),
    ("chart", r"Chart\.yaml", "a Helm chart"),
    (
        "infrastructure",
        r"(?:kustomization|skaffold|helmfile|fly|app|serverless)\.ya?ml|Procfile|fly\.toml",
        "deploys it",
    ),
    (
        "ci",
        (
            r"\.gitlab-ci\.yml|Jenkinsfile|azure-pipelines\.yml|\.travis\.yml|\.drone\.yml|bitbucket-pipelines\.yml"
            r"|cloudbuild\.ya?ml|\.cirrus\.yml|appveyor\.yml"
        ),
        "runs on every change",
    ),
    (
        "lock",
        (
            r"go\.sum|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|poetry\.lock|uv\.lock"
            r"|pdm\.lock|pylock\.toml|Pipfile\.lock|Cargo\.lock|gradle\.lockfile|go\.work\.sum"
        ),
        "exact versions",
    ),
    (
        "manifest",
        (
            r"go\.mod|go\.work|package\.json|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|requirements[\w.-]*\.(?:txt|in)"
            r"|pom\.xml|build\.gradle(?:\.kts)?|settings\.gradle(?:\.kts)?|Cargo\.toml|CMakeLists\.txt|meson\.build"
            r"|(?:GNUm|M|m)akefile|Justfile|justfile|Taskfile\.ya?ml"
        ),
        "says how it is built",
    ),
    (
        "documentation",
        r"(?:README|CHANGELOG|CONTRIBUTING|ARCHITECTURE|SECURITY|LICEN[CS]E)(?:[.-][\w.-]+)?",
        "to be read",
    ),
    (
        "configuration",
        (
            r"\.env(?:\.[\w.-]+)?|(?:proa|application|config|settings|appsettings)(?:[.-][\w-]+)*\.(?:ya?ml|toml|json|properties|ini)"
            r"|\.nvmrc|\.node-version|\.python-version|\.java-version|\.sdkmanrc|rust-toolchain(?:\.toml)?|\.tool-versions"
        ),
        "settings",
    ),
)
_BY_FILE = re.compile("|".join(f"(?P<r{number}>{pattern})" for number, (_, pattern, _) in enumerate(_FILES)))
ANYWHERE: Final[frozenset[LayoutRole]] = frozenset({"dockerfile", "compose", "chart", "ci", "manifest"})
"""Told wherever in the tree they are; the others only at its top."""


def role_of_file(name: str) -> tuple[LayoutRole, str] | None:
    """Return what a file with this name is for, and why in a few words; None where the name says nothing.

    >>> role_of_file("Dockerfile.dev"), role_of_file("compose.prod.yaml"), role_of_file("main.c")
    (('dockerfile', 'builds an image'), ('compose', 'starts services together'), None)
    """
    match = _BY_FILE.fullmatch(name)
    if match is None or match.lastgroup is None:
        return None
    role, _, reason = _FILES[int(match.lastgroup[1:])]
    return role, reason


_LANGUAGES = {
    "Go": "go", "Python": "py pyi", "JavaScript": "js mjs cjs jsx", "TypeScript": "ts tsx mts cts vue svelte",
    "Java": "java", "Kotlin": "kt kts", "Rust": "rs", "C": "c h", "C++": "cc cpp cxx hpp hh", "Ruby": "rb",
    "PHP": "php", "C#": "cs", "Scala": "scala", "Swift": "swift", "Shell": "sh bash", "PowerShell": "ps1",
    "SQL": "sql", "Protocol Buffers": "proto", "HTML": "html htm", "CSS": "css scss sass less", "Markdown": "md mdx",
    "Terraform": "tf tfvars", "YAML": "yml yaml", "JSON": "json", "TOML": "toml", "Text": "rst adoc txt",
    "Groovy": "groovy", "Elixir": "ex exs", "Assembly": "s asm",
}  # fmt: skip
LANGUAGES: Final[dict[str, str]] = {ending: name for name, endings in _LANGUAGES.items() for ending in endings.split()}
COMPILED: Final[frozenset[str]] = frozenset({"Go", "Java", "Kotlin", "Rust", "C", "C++", "C#", "Scala", "Swift"})
CODE: Final[frozenset[str]] = COMPILED | {
    "Python", "JavaScript", "TypeScript", "Ruby", "PHP", "Protocol Buffers", "Groovy", "Elixir", "Assembly",
}  # fmt: skip
_KINDS: dict[LayoutRole, str] = {
    "documentation": "md mdx rst adoc txt pdf",
    "assets": "png jpg jpeg gif svg ico webp woff woff2 ttf otf eot css scss less html htm mp3 mp4 webm"
    " avif tmpl gotmpl",
    "migrations": "sql",
    "scripts": "sh bash ps1 bat",
    "configuration": "yml yaml json toml ini properties conf cfg env xml",
    "infrastructure": "tf tfvars hcl",
}
KINDS: Final[dict[str, LayoutRole]] = {ending: role for role, endings in _KINDS.items() for ending in endings.split()}
TEST: Final = re.compile(
    r"[\w.-]*_test\.(?:go|py|cc|cpp|rb)|test_[\w.-]+\.py|[\w.-]+\.(?:test|spec)\.[cm]?[jt]sx?|[\w]*Tests?\.(?:java|kt)|[\w]*IT\.java"
)
