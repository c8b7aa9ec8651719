"""A real Kubernetes of one node: etcd, API server, controllers, scheduler, kubelet, containerd and runc, pods in a bridge.

Everything is in one folder for temporary files and on ports of its own, and is gone when the block ends.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import cluster_tools
from real_neighbours import free_port, need, own_groups, running

PAUSE = "pause.example/pause:1"
"""What holds a pod's namespaces."""
_PAUSE_PROGRAM = """package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	<-ended
}
"""
_PLUGINS = Path("/usr/lib/cni")
_PATIENCE_S = 90.0


@dataclass(frozen=True)
class RealCluster:
    """How it is reached."""

    kubeconfig: Path
    containerd: Path
    gateway: str
    """This machine, as its pods see it."""

    def kubectl(self, *words: str, document: Any = None) -> str:
        """Run kubectl and return what it printed. Raises CalledProcessError."""
        text = None if document is None else json.dumps(document)
        ran = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *words],
            input=text, capture_output=True, text=True, check=True, timeout=120,
        )  # fmt: skip
        return ran.stdout


@contextmanager
def real_cluster() -> Iterator[RealCluster]:
    """Start a cluster and wait until its node is ready."""
    need("etcd", "containerd", "ctr", "runc", "ip", "openssl", "kubectl", "go")
    if os.geteuid() != 0:
        pytest.skip("real: a kubelet needs root")
    if not (_PLUGINS / "bridge").exists():
        pytest.skip(f"real: the bridge plugin is not in {_PLUGINS}")
    try:
        programs = cluster_tools.programs()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"real: Kubernetes could not be built: {(error.stderr or b'').decode()[-300:]}")
    folder = Path(tempfile.mkdtemp(prefix="proa-cluster-"))
    bridge = f"proa{secrets.token_hex(4)}"
    if subprocess.run(["ip", "link", "add", bridge, "type", "bridge"], capture_output=True, check=False).returncode:
        pytest.skip("this kernel, or what confines this machine, has no bridges")
    # At once, and not when its first pod comes: servers on this machine listen there.
    subprocess.run(["ip", "address", "add", f"{_subnet(bridge)}1/24", "dev", bridge], check=True)
    subprocess.run(["ip", "link", "set", bridge, "up"], check=True)
    others = _networks()
    with own_groups():
        try:
            with ExitStack() as stack:
                yield _started(stack, folder, programs, bridge)
        finally:
            _cleared(folder, bridge)
            for name in _networks() - others:
                subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _started(stack: ExitStack, folder: Path, programs: Path, bridge: str) -> RealCluster:
    def start(name: str, *argv: str | Path) -> subprocess.Popen[bytes]:
        return stack.enter_context(running([str(word) for word in argv], log=folder / f"{name}.log"))

    store, peers, api = free_port(), free_port(), free_port()
    start(
        "etcd", "etcd", "--data-dir", folder / "etcd",
        "--listen-client-urls", f"http://127.0.0.1:{store}", "--advertise-client-urls", f"http://127.0.0.1:{store}",
        "--listen-peer-urls", f"http://127.0.0.1:{peers}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peers}",
        "--initial-cluster", f"default=http://127.0.0.1:{peers}",
    )  # fmt: skip
    key = folder / "accounts.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    (folder / "tokens.csv").write_text("bed-token,admin,admin,system:masters\nguest-token,guest,guest\n")
    server = start(
        "api", programs / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{store}", f"--secure-port={api}",
        "--bind-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.96.0.0/16",
        f"--cert-dir={folder}/certificates", f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC",
        "--kubelet-preferred-address-types=InternalIP", "--service-account-issuer=https://bed.example",
        f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
    )  # fmt: skip
    cluster = RealCluster(
        kubeconfig=_kubeconfig(folder, api), containerd=folder / "containerd.sock", gateway=_subnet(bridge) + "1"
    )
    _wait(lambda: cluster.kubectl("get", "--raw", "/readyz") == "ok", folder, "api", server)
    own = [f"--kubeconfig={cluster.kubeconfig}", "--leader-elect=false", "--bind-address=127.0.0.1"]
    start(
        "controllers", programs / "kube-controller-manager", *own, f"--secure-port={free_port()}",
        f"--cert-dir={folder}/controllers", f"--service-account-private-key-file={key}",
        f"--root-ca-file={folder}/certificates/apiserver.crt",
    )  # fmt: skip
    start(
        "scheduler", programs / "kube-scheduler", *own, f"--secure-port={free_port()}", f"--cert-dir={folder}/scheduler"
    )
    _write_network(folder, bridge)
    runtime = start("containerd", "containerd", "--config", _containerd_settings(folder, cluster.containerd))
    _wait(cluster.containerd.exists, folder, "containerd", runtime)
    _import_pause(folder, cluster.containerd)
    kubelet = start(
        "kubelet", programs / "kubelet", "--config", _kubelet_settings(folder, cluster.containerd),
        f"--kubeconfig={cluster.kubeconfig}", f"--root-dir={folder}/kubelet", f"--cert-dir={folder}/kubelet-certificates",
        "--hostname-override=bed",
    )  # fmt: skip
    path = '{.status.conditions[?(@.type=="Ready")].status}'
    _wait(lambda: cluster.kubectl("get", "node", "bed", "-o", f"jsonpath={path}") == "True", folder, "kubelet", kubelet)
    _wait(lambda: bool(cluster.kubectl("get", "serviceaccount", "default")), folder, "controllers", kubelet)
    return cluster


def _wait(is_there: Any, folder: Path, name: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(subprocess.CalledProcessError):
            if is_there():
                return
        time.sleep(0.1)
    raise RuntimeError(f"{name} is not ready:\n{(folder / f'{name}.log').read_text(errors='replace')[-3000:]}")


def _kubeconfig(folder: Path, port: int) -> Path:
    """Write one with two users: who may do everything, and a guest who may do nothing."""
    server = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
    users = [{"name": name, "user": {"token": f"{name}-token"}} for name in ("bed", "guest")]
    contexts = [{"name": one["name"], "context": {"cluster": "bed", "user": one["name"]}} for one in users]
    file = folder / "kubeconfig"
    file.write_text(
        json.dumps({
            "apiVersion": "v1", "kind": "Config", "clusters": [{"name": "bed", "cluster": server}], "users": users,
            "contexts": contexts, "current-context": "bed",
        })
    )  # fmt: skip
    return file


def _subnet(bridge: str) -> str:
    """Return the first three numbers of a cluster's addresses, of its own as its bridge is."""
    return f"10.{100 + int(bridge[-4:-2], 16) % 100}.{int(bridge[-2:], 16)}."


def _write_network(folder: Path, bridge: str) -> None:
    addresses = {
        "type": "host-local", "dataDir": f"{folder}/addresses", "ranges": [[{"subnet": f"{_subnet(bridge)}0/24"}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }  # fmt: skip
    plugin = {"type": "bridge", "bridge": bridge, "isGateway": True, "ipam": addresses}
    (folder / "network").mkdir()
    (folder / "network" / "bed.conflist").write_text(
        json.dumps({"cniVersion": "0.4.0", "name": "bed", "plugins": [plugin]})
    )


def _containerd_settings(folder: Path, socket: Path) -> Path:
    file = folder / "containerd.toml"
    file.write_text(
        f"""version = 2
root = "{folder}/images"
state = "{folder}/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Not every machine lets root lower it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_PLUGINS}"
    conf_dir = "{folder}/network"
"""
    )
    return file


def _kubelet_settings(folder: Path, socket: Path) -> Path:
    """Write them: no limits on disk and memory of this machine, and nothing that other kubelets on it would share."""
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"}, "containerRuntimeEndpoint": f"unix://{socket}",
        "cgroupDriver": "cgroupfs", "cgroupsPerQOS": False, "enforceNodeAllocatable": [], "failCgroupV1": False,
        # Without cgroups by class the kubelet of 1.34 dies of it.
        "featureGates": {"InPlacePodVerticalScaling": False},
        "failSwapOn": False, "localStorageCapacityIsolation": False, "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
        "port": free_port(), "readOnlyPort": 0, "healthzPort": 0, "podLogsDir": f"{folder}/logs",
        "volumePluginDir": f"{folder}/plugins",
    }  # fmt: skip
    file = folder / "kubelet.yaml"
    file.write_text(json.dumps(settings))
    return file


def _import_pause(folder: Path, socket: Path) -> None:
    source = folder / "pause"
    source.mkdir()
    (source / "go.mod").write_text("module pause.example/pause\n\ngo 1.24\n")
    (source / "main.go").write_text(_PAUSE_PROGRAM)
    environ = {**os.environ, "CONTAINERD_ADDRESS": str(socket), "PROA_CACHE": str(folder / "store")}
    argv = [sys.executable, "-m", "proa", "ship", "--no-trial", "--to", f"containerd:{PAUSE}"]
    subprocess.run(argv, cwd=source, env=environ, check=True, capture_output=True, timeout=300)


def _cleared(folder: Path, bridge: str) -> None:
    """End what the container runtime started, and take apart what it mounted and linked."""
    for shim in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(folder).encode() in shim.read_bytes() and int(shim.parent.name) != os.getpid():
                _end_family(int(shim.parent.name))
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", "--lazy", mount], capture_output=True, check=False)
    subprocess.run(["ip", "link", "delete", bridge], capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _networks() -> set[str]:
    """Return the names of the network namespaces that are there for pods."""
    return {path.name for path in Path("/run/netns").glob("cni-*")}


def _end_family(pid: int) -> None:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(OSError, ValueError):
        for child in children.read_text().split():
            _end_family(int(child))
    with suppress(OSError):
        os.kill(pid, 9)
