"""Simulated energy counters in the kernel's layout, for machines without any."""

import contextlib
import os
import threading
import time


@contextlib.contextmanager
def counters(scratch):
    """Simulates a package that draws 20 W, readable by root only; yields the compose file that mounts it."""
    zone = scratch / "devices/virtual/powercap/intel-rapl/intel-rapl:0"
    zone.mkdir(parents=True)
    listed = scratch / "class/powercap"
    listed.mkdir(parents=True)
    (listed / zone.name).symlink_to(f"../../{zone.relative_to(scratch)}")
    for name, text in {"name": "package-0", "max_energy_range_uj": "262143328850", "enabled": "1"}.items():
        (zone / name).write_text(text + "\n")
    counter = os.open(zone / "energy_uj", os.O_CREAT | os.O_WRONLY, 0o400)
    began, ended = time.monotonic(), threading.Event()

    def tick():
        while not ended.wait(0.01):
            os.pwrite(counter, b"%d\n" % (10_000_000_000 + int((time.monotonic() - began) * 20_000_000)), 0)

    os.pwrite(counter, b"10000000000\n", 0)
    ticking = threading.Thread(target=tick)
    ticking.start()
    over = scratch / "compose.counters.yaml"
    mounts = "".join(f"      - {scratch}/{name}:/host/sys/{name}:ro\n" for name in ("devices", "class"))
    over.write_text(f"services:\n  nebula:\n    volumes:\n{mounts}")
    try:
        yield over
    finally:
        ended.set()
        ticking.join()
        os.close(counter)
