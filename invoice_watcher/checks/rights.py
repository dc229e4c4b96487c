"""What the kernel lets this process do besides (capabilities(7)).

Asks the kernel; raises nothing. Where `/proc` tells nothing, no capability is assumed.
"""

from __future__ import annotations

CAP_FOWNER = 3  # linux/capability.h
CAP_LEASE = 28
_WHOLE_RANGE = ["0", "0", "4294967295"]  # user_namespaces(7): the map of the first user namespace


def holds(capability: int) -> bool:
    """Tell whether this process has a capability (proc_pid_status(5): CapEff)."""
    return has_bit(_read("/proc/self/status"), capability)


def holds_everywhere(capability: int) -> bool:
    """Tell whether it has one that counts in the first user namespace only: in a rootless container it has none."""
    return _read("/proc/self/uid_map").split() == _WHOLE_RANGE and holds(capability)


def has_bit(status: str, capability: int) -> bool:
    """Read a capability out of the text of /proc/PID/status."""
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    try:
        return bool(int(lines.get("CapEff", "0"), 16) >> capability & 1)
    except ValueError:
        return False


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
