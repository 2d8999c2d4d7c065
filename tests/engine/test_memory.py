"""Freed memory is kept from the import on, unless the environment says otherwise."""

import os
import resource
import subprocess
import sys

import pytest

CODE = """
import resource, numpy as np
import tinygrad_jp
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        [np.ones(1 << 20) for _ in range(5)]  # 40 MB, made and freed
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.confstr("CS_GNU_LIBC_VERSION") is None, reason="concerns glibc"
)
@pytest.mark.parametrize(("setting", "kept"), [(None, True), ("0", False), ("1", True)])
def test_freed_memory_is_kept_unless_switched_off(setting, kept):
    environment = {k: v for k, v in os.environ.items() if k != "TINYGRAD_JP_KEEP_MEMORY"}
    environment |= {} if setting is None else {"TINYGRAD_JP_KEEP_MEMORY": setting}
    run = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, env=environment)
    pages = 40 * (1 << 20) // resource.getpagesize()
    assert (int(run.stdout) < pages) == kept  # Twenty arrays: no pages fetched at all, or those of each.
