"""Runs the services of compose.yaml with podman on free ports, and queries them."""

import json
import os
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from composed import DEPLOY
from engine import NEBULA, PROMETHEUS, STAND_IN, run

PROJECT = f"nebula-check-{os.getpid()}"


def step(what):
    print(f"deploy/check --run: {what}", flush=True)


def wait(what, ready, seconds=90):
    """Waits until `ready` returns something, and returns it."""
    end = time.monotonic() + seconds
    last = None
    while time.monotonic() < end:
        try:
            if found := ready():
                return found
        except (OSError, RuntimeError) as error:
            last = error
        time.sleep(0.3)
    raise RuntimeError(f"{what}: not within {seconds} s ({last})")


class Stack:
    """The services of compose.yaml on free ports."""

    def __init__(self):
        self.ports = {name: free_port() for name in ("nebula", "prometheus", "grafana")}
        self.environment = os.environ | {
            "NEBULA_IMAGE": NEBULA,
            "PROMETHEUS_IMAGE": PROMETHEUS,
            "GRAFANA_IMAGE": STAND_IN,
            "NEBULA_PORT": str(self.ports["nebula"]),
            "PROMETHEUS_PORT": str(self.ports["prometheus"]),
            "GRAFANA_PORT": str(self.ports["grafana"]),
        }

    def compose(self, *command, over=(), **variables):
        files = [part for name in ("compose.yaml", *over) for part in ("-f", DEPLOY / name)]
        return run("podman-compose", "-p", PROJECT, *files, *command, env=self.environment | variables)

    def up(self, *services, over=(), **variables):
        self.compose("up", "-d", *services, over=over, **variables)
        for name in [name for name in services if name != "grafana"]:
            # Without systemd podman runs no health checks by itself.
            healthy = ["podman", "healthcheck", "run", self.container(name)]
            wait(f"`{name}` is healthy", lambda healthy=healthy: run(*healthy, check=False).returncode == 0)

    def down(self, over=()):
        self.compose("down", "-v", over=over)

    def container(self, name):
        return f"{PROJECT}_{name}_1"

    def inside(self, name, command):
        return run("podman", "exec", self.container(name), "bash", "-c", command, check=False)

    def ask(self, path, service="nebula", method="GET", data=None, **headers):
        """Status and text of an answer."""
        url = f"http://127.0.0.1:{self.ports[service]}{path}"
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def json(self, path, **more):
        status, text = self.ask(path, **more)
        if status != 200:
            raise RuntimeError(f"{path}: {status} {text[:300]}")
        return json.loads(text)

    def query(self, promql):
        """The sum of a query's results."""
        path = "/api/v1/query?" + urllib.parse.urlencode({"query": f"sum({promql})"})
        found = self.json(path, service="prometheus")["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def source(self):
        return self.json("/energy")["source"]["kind"]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def expect(holds, what):
    if not holds:
        raise RuntimeError(what)
