"""A jar compiled here: shipped with a run time made by jlink, tried, and mended where a module was missing."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from proa.errors import JarUnfit
from proa.pipeline.ship import ship
from proa.records.request import Request
from proa.records.shipment import Shipment
from real_neighbours import need

pytestmark = pytest.mark.real

_SERVER = """
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;

public final class Server {
    public static void main(String[] words) throws Exception {
        // By name, so that jdeps cannot see it.
        Class.forName("javax.script.ScriptException");
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/healthz", exchange -> {
            exchange.sendResponseHeaders(200, 3);
            exchange.getResponseBody().write("ok\\n".getBytes("UTF-8"));
            exchange.close();
        });
        server.start();
    }
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("javac", "jlink", "bwrap")
    root = tmp_path_factory.mktemp("java")
    (root / "Server.java").write_text(_SERVER)
    (root / "lib").mkdir()
    (root / "lib" / "beside.jar").write_bytes(b"PK\x05\x06" + bytes(18))
    (root / "manifest").write_text("Main-Class: Server\nClass-Path: lib/beside.jar lib/gone.jar\n")
    for words in (["javac", "Server.java"], ["jar", "cfm", "server.jar", "manifest", "Server.class"]):
        subprocess.run(words, cwd=root, check=True, timeout=60)
    return root


@pytest.fixture(scope="module")
def shipment(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Shipment:
    return _shipped(folder, tmp_path_factory.mktemp("cache"))


def _shipped(folder: Path, cache: Path) -> Shipment:
    request = Request(binary="server.jar", directory=str(folder))
    return ship(request, environ={**os.environ, "PROA_CACHE": str(cache)}, progress=lambda _: None)[0]


def test_a_jar_is_shipped_with_what_it_needs_and_answers(shipment: Shipment) -> None:
    image = shipment.images[0]
    assert image.entrypoint[0] == "/app/jre/bin/java"
    assert image.entrypoint[-2:] == ("-jar", "/app/server.jar")
    assert shipment.trial is not None
    assert (shipment.trial.verdict, shipment.trial.http_status) == ("ready", 200)
    assert [layer.holds for layer in image.layers] == [
        "system files",
        "libraries",
        "run time",
        "dependencies",
        "program",
    ]


def test_a_module_that_the_trial_died_without_was_added_with_its_reason(shipment: Shipment) -> None:
    files = {file.path: file.reason for layer in shipment.images[0].layers for file in layer.files}
    assert "java.scripting: the trial died without it: ClassNotFoundException" in files["/app/jre/lib/modules"]
    assert "jdk.httpserver: classes of server.jar use it (jdeps)" in files["/app/jre/lib/modules"]
    assert files["/app/lib/beside.jar"] == "the Class-Path of server.jar names it"


def test_a_file_of_the_class_path_that_is_not_there_is_told(shipment: Shipment) -> None:
    assert [one.message for one in shipment.findings if one.id == "build.class-path"] == [
        "server.jar names lib/gone.jar beside it, which is not there"
    ]


def test_a_class_for_a_newer_java_is_told(folder: Path, tmp_path: Path) -> None:
    data = bytearray((folder / "Server.class").read_bytes())
    data[6:8] = (44 + 99).to_bytes(2, "big")
    (tmp_path / "Server.class").write_bytes(data)
    (tmp_path / "manifest").write_text("Main-Class: Server\n")
    subprocess.run(["jar", "cfm", "server.jar", "manifest", "Server.class"], cwd=tmp_path, check=True, timeout=60)
    with pytest.raises(JarUnfit, match="compiled for Java 99"):
        _shipped(tmp_path, tmp_path / "cache")
