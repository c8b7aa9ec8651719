"""Java: what Maven's and Gradle's files say of the JDK, of themselves and of the frameworks.

Sources: https://maven.apache.org/pom.html, https://docs.gradle.org/current/userguide/toolchains.html,
https://sdkman.io/usage#env-command.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from proa.analyze.environment.found import Dependency, Found, Names, framework, limited
from proa.analyze.environment.gradle import Gradle, read_gradle
from proa.analyze.environment.maven import Poms
from proa.outside.projecttree import Tree
from proa.records.environment import Framework, Version
from proa.records.evidence import Evidence

NAMES: Names = {
    "org.springframework.boot": ("Spring Boot", "application"),
    "io.quarkus": ("Quarkus", "application"),
    "io.quarkus.platform": ("Quarkus", "application"),
    "io.micronaut": ("Micronaut", "application"),
    "io.micronaut.platform": ("Micronaut", "application"),
    "io.helidon.webserver": ("Helidon", "web"),
    "io.javalin": ("Javalin", "web"),
    "io.vertx": ("Vert.x", "web"),
    "io.dropwizard": ("Dropwizard", "web"),
    "com.sparkjava": ("Spark", "web"),
    "io.ktor": ("Ktor", "web"),
    "io.grpc": ("gRPC", "rpc"),
    "org.hibernate.orm": ("Hibernate", "data"),
    "org.flywaydb": ("Flyway", "data"),
    "org.liquibase": ("Liquibase", "data"),
    "org.junit.jupiter": ("JUnit", "test"),
}
"""By group: a framework is many artifacts of one."""
_WRAPPER = re.compile(r"(?:apache-maven-|gradle-)(\d+(?:\.\d+)+(?:-[A-Za-z]+-?\d*)?)-(?:bin|all)\.zip")


def read_java(tree: Tree, installed: Mapping[str, str], *, home: Path) -> Found:
    """Return what the tree's Maven and Gradle projects say; ``home`` is the user's, with the local repositories."""
    poms, found = limited(tree.names("pom.xml"), "pom.xml files")
    scripts, problem = limited(tree.names("build.gradle", "build.gradle.kts"), "Gradle scripts")
    found += problem
    if poms:
        found += _maven(tree, poms, installed, home)
    if scripts:
        found += _gradle(tree, read_gradle(tree, scripts), installed, home)
    return found


def _maven(tree: Tree, names: tuple[str, ...], installed: Mapping[str, str], home: Path) -> Found:
    repository = home / ".m2" / "repository"
    poms = Poms(tree, repository)
    found, seen = Found(), set[tuple[str, str]]()
    release, place = "", Evidence(file=names[0], line=1)
    for name in names:
        pom, problem = poms.read(name)
        found += problem
        if pom is None:
            continue
        if not release and (said := poms.java_release(pom)):
            release, place = said
        for one in poms.dependencies(pom):
            if (shown := _of_group(one, repository)) and (shown.name, shown.declared) not in seen:
                seen.add((shown.name, shown.declared))
                found += Found(frameworks=(shown,))
    found += Found(versions=(_java(tree, release, place, installed),))
    maven = Version(
        name="maven",
        ecosystem="java",
        role="build-tool",
        declared=_maven_wanted(poms, names),
        locked=_wrapped(tree, ".mvn/wrapper/maven-wrapper.properties"),
        installed=installed.get("maven", ""),
        where=tuple(_places(tree, ".mvn/wrapper/maven-wrapper.properties", names[0])),
    )
    return found + Found(versions=(maven,))


def _maven_wanted(poms: Poms, names: tuple[str, ...]) -> str:
    """Return the least version of Maven that the enforcer's rule or the prerequisites name."""
    pom, _ = poms.read(names[0])
    return poms.maven_wanted(pom) if pom is not None else ""


def _of_group(one: Dependency, repository: Path) -> Framework | None:
    group, _, artifact = one.package.partition(":")
    found = framework(Dependency(package=group, declared=one.declared, where=one.where), NAMES, "java")
    if found is None:
        return None
    is_exact = bool(re.fullmatch(r"\d[\w.-]*", one.declared))
    folder = repository / group.replace(".", "/") / artifact / one.declared
    is_here = is_exact and ".." not in one.package and folder.is_dir()
    return Framework(
        name=found.name,
        package=one.package,
        ecosystem="java",
        role=found.role,
        declared=one.declared,
        # Maven has no lock file; one version written out is one for everybody.
        locked=one.locked or (one.declared if is_exact else ""),
        installed=one.declared if is_here else "",
        where=(one.where,),
    )


def _java(tree: Tree, declared: str, place: Evidence, installed: Mapping[str, str]) -> Version:
    locked, where = "", [place]
    if text := tree.text(".java-version", most=200).strip():
        locked = re.sub(r"^[a-z-]+", "", text.splitlines()[0].strip())
        where.append(Evidence(file=".java-version", line=1))
    elif match := re.search(r"^java=(\d[\w.]*)", tree.text(".sdkmanrc", most=4096), re.MULTILINE):
        locked = match[1]
        where.append(Evidence(file=".sdkmanrc", line=1))
    return Version(
        name="java",
        ecosystem="java",
        declared=declared,
        locked=locked,
        installed=installed.get("java", ""),
        where=tuple(where),
    )


def _wrapped(tree: Tree, path: str) -> str:
    match = _WRAPPER.search(tree.text(path, most=64 << 10))
    return match[1] if match else ""


def _places(tree: Tree, *paths: str) -> list[Evidence]:
    return [Evidence(file=path, line=1) for path in paths if tree.has(path)]


def _gradle(tree: Tree, said: Gradle, installed: Mapping[str, str], home: Path) -> Found:
    cache = home / ".gradle" / "caches" / "modules-2" / "files-2.1"
    shown: dict[str, Framework] = {}
    for one in said.dependencies:
        group, _, artifact = one.package.partition(":")
        found = framework(Dependency(package=group, where=one.where), NAMES, "java")
        if found is None:
            continue
        locked = said.locked.get(one.package, "")
        version = locked or one.declared
        is_here = (
            bool(version) and ".." not in f"{one.package}{version}" and (cache / group / artifact / version).is_dir()
        )
        new = Framework(
            name=found.name,
            package=one.package,
            ecosystem="java",
            role=found.role,
            declared=one.declared,
            locked=locked or (one.declared if re.fullmatch(r"\d[\w.-]*", one.declared) else ""),
            installed=version if is_here else "",
            where=(one.where,),
        )
        # The artifact that names a version says more than those that leave it to a platform.
        if found.name not in shown or (new.declared and not shown[found.name].declared):
            shown[found.name] = new
    wrapper = "gradle/wrapper/gradle-wrapper.properties"
    gradle = Version(
        name="gradle",
        ecosystem="java",
        role="build-tool",
        locked=_wrapped(tree, wrapper),
        installed=installed.get("gradle", ""),
        where=tuple(_places(tree, wrapper, said.first)),
    )
    java = _java(tree, said.java, said.java_where, installed)
    return Found(versions=(java, gradle), frameworks=tuple(shown.values()), findings=said.findings)
