"""Sets up podman, and builds the images that compose.yaml needs from Debian if they can't be pulled."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from composed import ROOT

RUNTIME = "localhost/nebula-runtime:check"
BASE = "docker.io/library/debian:bookworm-slim"
NEBULA = "localhost/nebula:check"
PROMETHEUS = "localhost/prometheus:check"
# Debian has no Grafana: this container takes its place, with the same mounts.
STAND_IN = "localhost/grafana-stand-in:check"

# For machines without systemd, where limits cannot be raised.
CONTAINERS_CONF = """
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


class Cannot(Exception):
    """Containers can't run here."""


def run(*command, check=True, timeout=300, **more):
    """Runs a command and returns its output; raises if it fails."""
    told = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, **more)
    if check and told.returncode:
        said = (told.stderr or told.stdout).strip()
        raise RuntimeError(f"{' '.join(map(str, command))[:200]} ended with {told.returncode}: {said[-2000:]}")
    return told


def daemon():
    """The program to put into the image."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    for path in (os.environ.get("NEBULA"), target / "release/nebula", target / "debug/nebula"):
        if path and os.access(path, os.X_OK):
            return Path(path)
    raise Cannot("there is no daemon to run: cargo build")


def prepare(scratch):
    """Makes sure that containers can run here, or raises the reason."""
    for tool in ("podman", "prometheus", "promtool"):
        if not shutil.which(tool):
            raise Cannot(f"there is no `{tool}`")
    if run("podman", "image", "exists", BASE, check=False).returncode:
        fetched = run("podman", "pull", "--quiet", BASE, check=False)
        if fetched.returncode:
            debootstrap(scratch)
    told = run("podman", "run", "--rm", BASE, "true", check=False)
    if told.returncode and "CONTAINERS_CONF" not in os.environ:
        conf = scratch / "containers.conf"
        conf.write_text(CONTAINERS_CONF)
        os.environ["CONTAINERS_CONF"] = str(conf)
        told = run("podman", "run", "--rm", BASE, "true", check=False)
    if told.returncode:
        raise Cannot(f"podman runs no container: {told.stderr.strip().splitlines()[-1]}")


def debootstrap(scratch):
    if not shutil.which("debootstrap") or os.geteuid():
        raise Cannot(f"{BASE} cannot be fetched, and not be made without debootstrap and root")
    print("making a Debian image", file=sys.stderr)
    root = scratch / "debian"
    run("debootstrap", "--variant=minbase", "bookworm", root, timeout=900)
    tar = subprocess.Popen(["tar", "-C", root, "--exclude=./var/cache/apt", "-c", "."], stdout=subprocess.PIPE)
    run("podman", "import", "--quiet", "-", BASE, stdin=tar.stdout)
    tar.wait()


def build():
    """Builds the daemon's image from the Containerfile, without the compiler stage: it uses a program that exists here."""
    containerfile = ROOT / "deploy/Containerfile"
    run("podman", "build", "--quiet", "--format", "docker", "-f", containerfile, "--target", "runtime", "-t", RUNTIME, ROOT)
    prometheus = (
        f"FROM {BASE}\nCOPY prometheus promtool /bin/\nRUN mkdir /prometheus && chown 65534:65534 /prometheus\n"
        'USER 65534\nENTRYPOINT ["/bin/prometheus"]\n'
    )
    stand_in = f"FROM {BASE}\nRUN mkdir -m 777 /var/lib/grafana\nENTRYPOINT [\"sleep\", \"infinity\"]\n"
    for image, text, programs in [
        (NEBULA, f"FROM {RUNTIME}\nCOPY nebula /usr/local/bin/nebula\n", {"nebula": daemon()}),
        (PROMETHEUS, prometheus, {name: Path(shutil.which(name)) for name in ("prometheus", "promtool")}),
        (STAND_IN, stand_in, {}),
    ]:
        with tempfile.TemporaryDirectory() as context:
            for name, path in programs.items():
                shutil.copy(path, Path(context, name))
            run("podman", "build", "--quiet", "--format", "docker", "-t", image, "-f", "-", context, input=text)


def forget():
    """Removes what `build` has made."""
    run("podman", "rmi", "--force", NEBULA, PROMETHEUS, STAND_IN, RUNTIME, check=False)
