"""Reads compose files as a container engine does: variables at their defaults, later files over earlier ones."""

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


@dataclass(frozen=True)
class Mount:
    """A volume of a service."""

    source: str
    target: str
    options: frozenset

    @classmethod
    def of(cls, text):
        source, target, *options = text.split(":")
        return cls(source, target, frozenset(",".join(options).split(",")) - {""})

    @property
    def host(self):
        """The path on the host; `None` for a volume with a name."""
        return (DEPLOY / self.source).resolve() if self.source.startswith((".", "/")) else None


class Composed:
    """The services of some compose files, merged as the specification says for what these files use."""

    def __init__(self, *names):
        self.services = {}
        self.volumes = set()
        for name in names:
            document = read(DEPLOY / name)
            self.volumes |= set(document.get("volumes") or {})
            for service, more in document["services"].items():
                merge(self.services.setdefault(service, {}), more)

    def mounts(self, service):
        """Volumes of a service; later files replace earlier volumes with the same target."""
        mounts = [Mount.of(text) for text in self.services[service].get("volumes", [])]
        return list({mount.target: mount for mount in mounts}.values())

    def host_path(self, service, path):
        """The host's path of a path in a container; `None` if no mount covers it."""
        for mount in sorted(self.mounts(service), key=lambda mount: -len(mount.target)):
            if mount.host and (path == mount.target or path.startswith(mount.target + "/")):
                return mount.host / path[len(mount.target):].lstrip("/")
        return None

    def option(self, service, name):
        """The value of `--name=` in a service's command."""
        found = [part.split("=", 1)[1] for part in self.services[service]["command"] if part.startswith(f"--{name}=")]
        return found[-1] if found else None


def merge(base, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        elif isinstance(value, list) and isinstance(base.get(key), list) and key != "command":
            base[key] = base[key] + value
        else:
            base[key] = value


def read(path):
    """A YAML file, with `${NAME:-default}` at its default."""
    return at_defaults(yaml.safe_load(path.read_text()))


def at_defaults(node):
    # After parsing, like engines do, so that a default stays text.
    if isinstance(node, dict):
        return {key: at_defaults(value) for key, value in node.items()}
    if isinstance(node, list):
        return [at_defaults(value) for value in node]
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", node) if isinstance(node, str) else node
