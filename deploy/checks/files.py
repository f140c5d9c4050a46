"""Checks compose.yaml and the files around it without running anything."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from composed import DEPLOY, ROOT, Composed, read

TOKENS = "compose.tokens.yaml"
# Services that exit when done, and have no health check.
ONCE = {"tokens"}

wrong = []


def expect(holds, what):
    """Records `what` as a failure unless it holds."""
    if not holds:
        wrong.append(what)
    return bool(holds)


def check_rights(composed, names):
    """Services have no needless rights, and no port is reachable from other machines."""
    for name, service in composed.services.items():
        at = f"{names}: `{name}`"
        expect(service.get("read_only") is True, f"{at} may write its file system")
        expect(service.get("cap_drop") == ["ALL"] and "cap_add" not in service, f"{at} has capabilities")
        expect("no-new-privileges:true" in service.get("security_opt", []), f"{at} may gain privileges")
        expect("privileged" not in service and "pid" not in service and "ipc" not in service, f"{at} shares the host's")
        expect(service.get("network_mode", "none") == "none", f"{at} is not in the network of this file")
        expect(name in ONCE or "healthcheck" in service, f"{at} has no health check")
        expect(service.get("restart") == ("no" if name in ONCE else "unless-stopped"), f"{at} has no restart policy")
        user = str(service.get("user", ""))
        expect(re.fullmatch(r"\d+:\d+", user), f"{at} runs as `{user}`: say which user, in numbers")
        expect(name == "nebula" or not user.startswith("0:"), f"{at} runs as root, which only energy counters need")
        for port in service.get("ports", []):
            expect(str(port).startswith("127.0.0.1:"), f"{at} publishes `{port}` beyond this machine")
        for other in service.get("depends_on", {}):
            expect(other in composed.services, f"{at} depends on `{other}`, which there is not")


def check_images(composed):
    """Images from registries have a full name and a version."""
    for name, service in composed.services.items():
        image = service["image"]
        if image.startswith("localhost/"):
            builder = composed.services["nebula"]["build"]
            expect((DEPLOY / builder["context"] / builder["dockerfile"]).is_file(), f"`{name}`: nothing builds `{image}`")
            continue
        expect(re.fullmatch(r"[a-z0-9.-]+\.[a-z]+/.+:v?\d+\.\d+\.\d+", image), f"`{image}` has no host, or no exact version")
    drawn = json.loads((ROOT / "grafana/check/package.json").read_text())["dependencies"]["@grafana/ui"]
    runs = composed.services["grafana"]["image"].rpartition(":")[2]
    expect(runs == drawn, f"Grafana {runs} runs, and dashboards are proven with the panels of {drawn}")


def check_mounts(composed):
    for name in composed.services:
        for mount in composed.mounts(name):
            if mount.host is None:
                expect(mount.source in composed.volumes, f"`{name}`: there is no volume `{mount.source}`")
                continue
            expect("ro" in mount.options, f"`{name}` may write `{mount.source}`")
            expect(mount.host.exists(), f"`{name}` mounts `{mount.source}`, which there is not")
            system = not mount.host.is_relative_to(ROOT)
            expect(not system or (name == "nebula" and mount.host in (Path("/sys/devices"), Path("/sys/class"))),
                   f"`{name}` mounts `{mount.source}` of the host")
            expect(system or "z" in mount.options, f"`{name}`: SELinux keeps `{mount.source}` from it without `z`")


def check_nebula(composed):
    environment = composed.services["nebula"]["environment"]
    # A test of the daemon keeps its table of options complete.
    options = (ROOT / "daemon/README.md").read_text()
    for variable in environment:
        flag = variable.removeprefix("NEBULA_").lower().replace("_", "-")
        expect(f"| `--{flag} <" in options, f"the daemon has no option `{variable}`")
    sysfs = environment["NEBULA_SYSFS_ROOT"]
    for part in ("devices", "class"):
        expect(composed.host_path("nebula", f"{sysfs}/{part}") == Path("/sys") / part, f"`{sysfs}/{part}` is not /sys/{part}")


def check_prometheus(composed, names):
    """Runs promtool's check, with the container's paths mapped to the host's."""
    at = composed.option("prometheus", "config.file")
    path = composed.host_path("prometheus", at)
    if not expect(path and path.is_file(), f"{names}: nothing is mounted at `{at}`"):
        return None
    config = read(path)
    text = path.read_text()
    with tempfile.TemporaryDirectory() as scratch:
        for pattern in config.get("rule_files", []):
            directory, _, name = pattern.rpartition("/")
            rules = composed.host_path("prometheus", directory)
            expect(rules and list(rules.glob(name)), f"{names}: no rules at `{pattern}`")
            text = text.replace(pattern, f"{rules}/{name}")
        for job in config.get("scrape_configs", []):
            secret = job.get("authorization", {}).get("credentials_file")
            if secret:
                made = [mount for mount in composed.mounts("prometheus") if secret.startswith(mount.target + "/")]
                maker = [mount for mount in composed.mounts("tokens") if "ro" not in mount.options]
                writes = f">{Path(secret).name}\n" in "".join(composed.services["tokens"]["command"])
                together = made and maker and made[0].source == maker[0].source
                expect(together and writes, f"{names}: nobody makes `{secret}`")
                stand_in = Path(scratch, "token")
                stand_in.touch()
                text = text.replace(secret, str(stand_in))
            check_targets(composed, names, job)
        checked = Path(scratch, "prometheus.yml")
        checked.write_text(text)
        told = subprocess.run(["promtool", "check", "config", checked], capture_output=True, text=True)
        expect(told.returncode == 0, f"{names}: promtool says of {path.name}: {told.stdout}{told.stderr}")
    return config


def check_targets(composed, names, job):
    for target in [target for group in job["static_configs"] for target in group["targets"]]:
        host, _, port = target.partition(":")
        listens = composed.services.get(host, {}).get("environment", {}).get("NEBULA_LISTEN", "")
        expect(listens == f"0.0.0.0:{port}", f"{names}: `{target}` is scraped, and nobody listens there")


def check_grafana(composed, scrape_interval):
    """Provisioning files point to what exists, and agree with the dashboards."""
    provisioning = "/etc/grafana/provisioning"
    paths = [composed.host_path("grafana", f"{provisioning}/{kind}/nebula.yaml") for kind in ("dashboards", "datasources")]
    if not expect(all(path and path.is_file() for path in paths), f"nothing is provisioned below {provisioning}"):
        return
    providers, sources = read(paths[0])["providers"], read(paths[1])["datasources"]
    for source in sources:
        host, _, port = source["url"].removeprefix("http://").partition(":")
        ports = [str(port).split(":")[-1] for port in composed.services.get(host, {}).get("ports", [])]
        expect(port in ports, f"the data source `{source['name']}` asks {source['url']}, and nobody listens there")
        expect(source["jsonData"]["timeInterval"] == scrape_interval, "`timeInterval` is not Prometheus' scrape interval")
    uids = {source["uid"] for source in sources}
    for provider in providers:
        path = provider["options"]["path"]
        directory = composed.host_path("grafana", path)
        dashboards = sorted(directory.glob("*.json")) if directory else []
        expect(dashboards, f"there are no dashboards at `{path}`")
        for dashboard in dashboards:
            check_dashboard(dashboard, uids)
    home = composed.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    at = composed.host_path("grafana", home)
    expect(at and at.is_file(), f"the first page, `{home}`, is not there")


def check_dashboard(path, uids):
    dashboard = json.loads(path.read_text())
    expect(dashboard["uid"], f"{path.name} has no uid")
    chosen = {variable["name"]: variable for variable in dashboard["templating"]["list"] if variable["type"] == "datasource"}
    expect(chosen, f"{path.name} has no variable for its data source")
    for uid in asked(dashboard):
        name = uid.removeprefix("${").removesuffix("}")
        known = name in chosen and chosen[name]["query"] == "prometheus" if uid.startswith("$") else uid in uids
        expect(known or uid == "-- Grafana --", f"{path.name} asks the data source `{uid}`, which nobody provisions")


def asked(node):
    """The uids of all data sources below a node of a dashboard."""
    if isinstance(node, dict):
        source = node.get("datasource")
        if isinstance(source, dict) and "uid" in source:
            yield source["uid"]
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from asked(child)


def main():
    plain, with_tokens = Composed("compose.yaml"), Composed("compose.yaml", TOKENS)
    for composed, names in ((plain, "compose.yaml"), (with_tokens, TOKENS)):
        check_rights(composed, names)
        check_images(composed)
        check_mounts(composed)
        check_nebula(composed)
    config, with_token = check_prometheus(plain, "compose.yaml"), check_prometheus(with_tokens, TOKENS)
    if config and with_token:
        token = [job.pop("authorization", None) for job in with_token.get("scrape_configs", [])]
        expect(all(token) and config == with_token, "prometheus.tokens.yml differs from prometheus.yml by more than its token")
        check_grafana(plain, config["global"]["scrape_interval"])
    for problem in dict.fromkeys(wrong):
        print(f"deploy/check: {problem}", file=sys.stderr)
    print(f"deploy/check: {len(with_tokens.services)} services, {len(set(wrong))} mistakes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
