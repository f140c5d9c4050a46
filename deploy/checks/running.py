"""Starts compose.yaml's services with podman, uses them, and stops them.

A stand-in for Grafana checks that everything Grafana needs is in its place. The energy
counters are simulated, and read through the mounts of compose.yaml.
"""

import contextlib
import os
import signal
import socket
import sys
import tempfile
from pathlib import Path

from composed import ROOT
from counters import counters
from engine import Cannot, build, forget, prepare, run
from stack import PROJECT, Stack, expect, step, wait


def confined(stack):
    status = dict(line.split(":\t", 1) for line in stack.inside("nebula", "cat /proc/1/status").stdout.splitlines())
    expect(int(status["CapBnd"], 16) == int(status["CapEff"], 16) == 0, f"the daemon has capabilities: {status}")
    expect(status["NoNewPrivs"] == "1", "the daemon may gain privileges")
    for path in ("/x", "/usr/local/bin/x", "/host/sys/devices/system/cpu/cpu0/uevent"):
        refused = stack.inside("nebula", f"echo >{path}").stderr
        expect("Read-only file system" in refused, f"the daemon may write `{path}`: {refused}")
    user = stack.inside("prometheus", "id -u").stdout.strip()
    expect(user == "65534", f"Prometheus runs as {user}")


def only_here(stack):
    """Ports are open on 127.0.0.1 and on no other address of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address = probe.getsockname()[0]
    for port in stack.ports.values():
        with contextlib.closing(socket.socket()) as client:
            client.settimeout(3)
            expect(client.connect_ex((address, port)) != 0, f"{address}:{port} can be reached from elsewhere")


def managed(stack):
    """Requests from this machine are trusted; requests from a page under another host name are not."""
    module = (ROOT / "functions/dist/hello-world.wasm").read_bytes()
    status, text = stack.ask("/functions/kept", method="PUT", data=module, Host="page.example")
    expect(status == 403 and "foreign-host" in text, f"a page could deploy: {status} {text}")
    status, text = stack.ask("/functions/kept", method="PUT", data=module)
    expect(status in (200, 201), f"nothing can be deployed: {status} {text}")


def call(stack, times):
    for _ in range(times):
        answer = stack.json("/invoke/fibonacci-recursive?input=20")
        expect(answer["energy_joules"] > 0, f"a call without joules: {answer}")
    expect(stack.json("/invoke/kept")["exit_code"] == 0, "what was deployed cannot be called")


def watched(stack):
    def targets():
        found = stack.json("/api/v1/targets", service="prometheus")["data"]["activeTargets"]
        return found and all(target["health"] == "up" for target in found) and found

    wait("Prometheus scrapes the daemon", targets)
    groups = wait("rules are evaluated", lambda: evaluated(stack))
    joules = 'nebula_function_energy_joules_total{function="fibonacci-recursive",component="active"}'
    known = wait("Prometheus knows joules of the function", lambda: stack.query(joules))
    exemplars = "/api/v1/query_exemplars?query=nebula_invocation_energy_joules_bucket&start=0&end=9999999999"
    kept = wait("Prometheus keeps exemplars", lambda: stack.json(exemplars, service="prometheus")["data"])
    rules = sum(len(group["rules"]) for group in groups)
    step(f"Prometheus has {rules} rules, {known:.3f} J of the function, and exemplars of {len(kept)} series")
    residual = stack.query("nebula_zone_energy_joules_total") - stack.query("nebula_account_energy_joules_total")
    expect(abs(residual) < 1, f"measured less charged is {residual} J")


def evaluated(stack):
    groups = stack.json("/api/v1/rules", service="prometheus")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return rules and all(rule["health"] == "ok" for rule in rules) and groups


def seen_by_grafana(stack):
    """Its user can read what is provisioned, write its data and nothing else, and reach its data source."""
    dashboards = len(list((ROOT / "grafana/dashboards").glob("*.json")))
    for question, expected in [
        ("id -u", "472"),
        ("cat /var/lib/grafana/dashboards/nebula/*.json | grep -c schemaVersion", str(dashboards)),
        ("cat /etc/grafana/provisioning/*/nebula.yaml | grep -c apiVersion", "2"),
        ("echo data >/var/lib/grafana/grafana.db && cat /var/lib/grafana/grafana.db", "data"),
        ("echo >/var/lib/grafana/dashboards/nebula/x || echo refused", "refused"),
        ("echo >/etc/grafana/x || echo refused", "refused"),
        ("exec 3<>/dev/tcp/prometheus/9090 && echo reached", "reached"),
    ]:
        told = stack.inside("grafana", question)
        expect(told.stdout.strip() == expected, f"Grafana's `{question}`: {told.stdout}{told.stderr}")
    step("what stands in for Grafana reads dashboards and provisioning, and reaches its data source")


def restarted(stack):
    def used():
        rows = stack.json("/usage?since=1d")["rows"]
        return sum(row["active_microjoules"] for row in rows if row["function"] == "fibonacci-recursive")

    before = wait("accounts are stored", used)
    stack.compose("restart", "nebula")
    wait("the daemon is back", lambda: stack.ask("/healthz")[0] == 200)
    expect(used() >= before, f"{before} µJ were used before a restart, {used()} after it")
    expect(stack.json("/invoke/kept")["exit_code"] == 0, "a restart forgot what was deployed")
    step(f"a restart kept {before} µJ and what was deployed")


def measured(stack, scratch):
    with counters(scratch) as over:
        stack.up("nebula", over=[over])
        expect(stack.source() == "powercap", f"with counters the source is {stack.source()}")

        def joules():
            zones = [zone["accounts"]["total_joules"] for zone in stack.json("/energy")["zones"] if zone["measured"]]
            return sum(zones) > 40 and sum(zones)

        counted = wait("energy is counted", joules)
        step(f"with counters that root alone may read the source is powercap: {counted:.1f} J")
        stack.down(over=[over])
        if os.geteuid():
            return
        stack.up("nebula", over=[over], NEBULA_USER="65534:0")
        expect(stack.source() == "model", f"another user than root reads counters: {stack.source()}")
        answer = stack.json("/invoke/fibonacci?input=5")
        expect(answer["energy"]["source"] == "model", f"the model is not told: {answer}")
        step("another user gets the model, and is told so")
        stack.down(over=[over])


def with_tokens(stack):
    over = ["compose.tokens.yaml"]
    stack.up("nebula", "prometheus", over=over)
    expect(stack.ask("/functions")[0] == 401, "nobody is asked for a token")
    make = "nebula token alice --tokens tokens.toml"
    token = stack.compose("run", "--rm", "-T", "tokens", make, over=over).stdout.strip().splitlines()[-1]

    def let_in():
        return stack.ask("/invoke/fibonacci?input=5", Authorization=f"Bearer {token}")[0] == 200

    wait("a new token is known", let_in)
    watched_up = 'up{job="nebula"} == 1'
    wait("Prometheus scrapes with its token", lambda: stack.query(watched_up) == 1)
    step("with tokens nobody else comes in, and Prometheus does")
    stack.down(over=over)


def main():
    # Clean up after a signal too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    stack, over = Stack(), ["compose.tokens.yaml"]
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        try:
            prepare(scratch)
            build()
        except Cannot as reason:
            print(f"SKIPPED: deploy/check --run: {reason}")
            return 0
        try:
            stack.up("nebula", "prometheus", "grafana")
            step(f"up, with the source {stack.source()}")
            confined(stack)
            only_here(stack)
            managed(stack)
            call(stack, 50)
            watched(stack)
            seen_by_grafana(stack)
            restarted(stack)
            stack.down()
            measured(stack, scratch / "sys")
            with_tokens(stack)
            left = run("podman", "ps", "-aq", "--filter", f"name={PROJECT}").stdout
            expect(not left, "`down` has left containers")
        except RuntimeError as failure:
            print(f"deploy/check --run: {failure}", file=sys.stderr)
            print(run("podman", "logs", "--tail", "20", stack.container("nebula"), check=False).stderr, file=sys.stderr)
            return 1
        finally:
            with contextlib.suppress(RuntimeError):
                stack.down(over=over)
            forget()
    step("all of it works")
    return 0


if __name__ == "__main__":
    sys.exit(main())
