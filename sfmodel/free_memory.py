"""How much memory the machine has left; without PyTorch, as classic methods do without it."""

from pathlib import Path

CGROUP_FILES = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)


def free_memory_bytes() -> int:
    """What the machine and this process's control group leave.

    Raises
    ------
    ImportError
        If psutil is not installed.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    for limit_file, usage_file in CGROUP_FILES:
        try:
            limit, usage = limit_file.read_text().strip(), usage_file.read_text().strip()
        except OSError:
            continue
        if limit.isdecimal() and usage.isdecimal():
            free = min(free, max(0, int(limit) - int(usage)))
    return free
