"""Whether there is a GPU for vLLM, asked of NVIDIA's driver itself, before vLLM needs a minute to find out."""

from __future__ import annotations

import ctypes

_DRIVER = "libcuda.so.1"
_MEND = (
    "install the NVIDIA driver and the NVIDIA Container Toolkit on the host (make doctor checks both), "
    "or set COMPOSE_FILE=compose.yaml:compose.cpu.yaml in .env to run on the processors"
)


def problem(needed: int) -> str | None:
    """One sentence if fewer than `needed` GPUs can be used; None if all is well."""
    try:
        driver = ctypes.CDLL(_DRIVER)
    except OSError:
        return f"No GPU: NVIDIA's driver is not in this container; {_MEND}."
    count = ctypes.c_int()
    code = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count))
    if code or not count.value:
        return f"No GPU: NVIDIA's driver finds none (its code {code}); {_MEND}."
    if count.value < needed:
        return f"TENSOR_PARALLEL_SIZE={needed} needs {needed} GPUs, and this container has {count.value}."
    return None
