import os
import platform
from pathlib import Path

import pytest

from anomgan.machine.memory import release_memory

STATM = Path("/proc/self/statm")


def used() -> int:
    """Bytes of this process that are in memory."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not STATM.exists(), reason="needs glibc on Linux"
)
def test_memory_freed_between_small_blocks_goes_back_to_the_system():
    blocks = [bytearray(100_000 if n % 2 else 40_000) for n in range(2000)]
    blocks = blocks[::2]  # frees 100 MB with the other blocks between
    before = used()
    release_memory()
    assert before - used() > 50e6
    assert len(blocks) == 1000
