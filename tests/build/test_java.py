"""Jars judged by their manifests and names: layout, layers, modules that jdeps cannot see, modules found missing."""

from __future__ import annotations

import pytest

from proa.build.java import Shape, command_of, layer_of, lost_modules, modules_of, shape_of
from proa.errors import JarUnfit
from proa.outside.jar import Jar


def shape(**manifest: str) -> Shape:
    words = {name.replace("_", "-"): value for name, value in manifest.items()}
    return shape_of(Jar(manifest=words, names=frozenset(), is_signed=False), name="a.jar")


def test_a_spring_boot_jar_has_its_libraries_in_it() -> None:
    found = shape(main_class="org.springframework.boot.loader.launch.JarLauncher")
    assert (found.framework, found.nested) == ("Spring Boot", "BOOT-INF/lib/")


def test_quarkus_brings_folders_that_its_class_path_does_not_name() -> None:
    found = shape(main_class="io.quarkus.bootstrap.runner.QuarkusEntryPoint", class_path=" lib/boot/a%20b.jar ")
    assert (found.class_path, found.folders) == (("lib/boot/a b.jar",), ("lib", "app", "quarkus"))
    assert [layer_of(path, found) for path in ("lib/main/x.jar", "app/own.jar")] == ["dependencies", "program"]


def test_a_jar_without_a_main_class_is_refused() -> None:
    with pytest.raises(JarUnfit, match="no Main-Class"):
        shape(class_path="lib/a.jar")


@pytest.mark.parametrize("path", ["../a.jar", "/etc/shadow", "file:/etc/shadow", "lib/../../a.jar", "http://x/a.jar"])
def test_a_class_path_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(JarUnfit, match="not below"):
        shape(main_class="A", class_path=path)


def test_rules_add_what_jdeps_cannot_see_and_each_module_has_its_reason() -> None:
    found = modules_of({"java.sql": "a.jar"}, ["io/micronaut/http/Server.class"], feature=17, available=())
    reasons = {one.name: one.reason for one in found}
    assert list(reasons) == ["java.base", "java.sql", "jdk.crypto.ec", "jdk.jfr", "jdk.zipfs"]
    assert reasons["java.sql"] == "classes of a.jar use it (jdeps)"
    assert reasons["jdk.zipfs"].endswith("(io.micronaut)")


def test_modules_that_this_jdk_has_not_are_not_asked_for() -> None:
    assert [one.name for one in modules_of({}, (), feature=22, available=("java.base",))] == ["java.base"]
    assert [one.name for one in modules_of({}, (), feature=17, available=())] == ["java.base", "jdk.crypto.ec"]


PACKAGES = {"javax.naming": "java.naming", "java.sql": "java.sql", "jdk.nio.zipfs": "jdk.zipfs"}


@pytest.mark.parametrize(
    ("output", "module"),
    [
        ("Caused by: java.lang.ClassNotFoundException: javax.naming.NamingException", "java.naming"),
        ("java.lang.NoClassDefFoundError: javax/naming/Context", "java.naming"),
        ("java.lang.module.FindException: Module java.sql not found", "java.sql"),
        ('java.nio.file.ProviderNotFoundException: Provider "jar" not found', "jdk.zipfs"),
    ],
)
def test_a_program_that_died_names_the_module_it_wants(output: str, module: str) -> None:
    assert [one.name for one in lost_modules(output, PACKAGES)] == [module]


def test_a_class_of_the_programs_own_is_no_module() -> None:
    assert lost_modules("java.lang.NoClassDefFoundError: com/example/Missing", PACKAGES) == ()


def test_the_command_names_the_jar_last_and_draws_nothing_where_it_could() -> None:
    assert command_of("a.jar", ["java.desktop"])[-3:] == ("-Djava.awt.headless=true", "-jar", "/app/a.jar")
    assert "-Djava.awt.headless=true" not in command_of("a.jar", ["java.base"])
