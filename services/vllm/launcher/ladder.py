"""What to try next when the model does not fit into the GPU's memory as asked. Pure: no process, no clock.

The ladder has two rails: vLLM's share of the memory (0.9, 0.8, 0.7) and the length of the context (32768, 16384, 8192).
Which of them helps depends on what is short:

| what vLLM says | what it means | a smaller share | a shorter context |
| --- | --- | --- | --- |
| free memory is less than its share | another program holds memory | helps | does not |
| CUDA out of memory | it used more than it had planned for | helps | helps, after that |
| the cache is too small for the context | one conversation of full length does not fit | makes it worse | helps |
| no memory for the cache at all | the weights alone fill the share | makes it worse | does not |
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum

#: Rungs below the settings, highest first.
SHARES = (0.9, 0.8, 0.7)
CONTEXTS = (32768, 16384, 8192)


class Shortage(Enum):
    """What is short; the value says it to the operator."""

    BUSY = "another program holds part of the GPU's memory"
    MEMORY = "the GPU ran out of memory"
    CACHE = "a conversation of the full context does not fit into the memory that the model leaves"
    WEIGHTS = "the model leaves no memory for conversations"


@dataclass(frozen=True, slots=True)
class Step:
    """One way to start vLLM: its share of the GPU's memory, and the context in tokens."""

    share: float
    context: int


#: What vLLM 0.32 and PyTorch print, most telling first.
_SIGNS = (
    (re.compile(r"Free memory on device .* is less than "), Shortage.BUSY),
    (re.compile(r"No available memory for the cache blocks"), Shortage.WEIGHTS),
    (re.compile(r"is needed, which is larger than the available KV cache"), Shortage.CACHE),
    (re.compile(r"CUDA out of memory|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"), Shortage.MEMORY),
)


def diagnose(line: str) -> Shortage | None:
    """What a line of vLLM's log says is short."""
    return next((shortage for sign, shortage in _SIGNS if sign.search(line)), None)


def step_down(step: Step, shortage: Shortage) -> Step | None:
    """The next way to try; None where the ladder ends, or where going on down cannot help."""
    share = next((share for share in SHARES if share < step.share), None)
    context = next((context for context in CONTEXTS if context < step.context), None)
    if share is not None and shortage in (Shortage.BUSY, Shortage.MEMORY):
        return replace(step, share=share)
    if context is not None and shortage in (Shortage.CACHE, Shortage.MEMORY):
        return replace(step, context=context)
    return None


def explain(before: Step, after: Step, shortage: Shortage) -> str:
    """One sentence on a step: what was short, what is tried, what it means for the operator."""
    if after.share < before.share:
        return (
            f"{shortage.value}: trying again with {after.share:g} of it instead of {before.share:g} "
            "(fewer requests run at the same time; nothing else changes)."
        )
    return (
        f"{shortage.value}: trying again with a context of {after.context} tokens instead of {before.context} "
        f"(long sessions lose their oldest outputs sooner; set OUTLAST_CONTEXT_WINDOW={after.context} in .env, "
        "so that the workers know)."
    )


def give_up(step: Step, shortage: Shortage, flavour: str) -> str:
    """The last word when nothing is left to try."""
    if flavour == "cpu":
        return (
            f"The model does not fit: with CPU_KV_CACHE as it is, not even {step.context} tokens of context do. "
            "Raise CPU_KV_CACHE (and VLLM_MEMORY with it) in .env, or choose a smaller model."
        )
    mend = {
        Shortage.BUSY: "free the GPU (nvidia-smi lists the programs that use it)",
        Shortage.WEIGHTS: "raise GPU_MEMORY_UTILIZATION if it is below 0.9, choose a smaller or a quantised model, "
        "or spread it over more GPUs with TENSOR_PARALLEL_SIZE",
    }.get(shortage, "choose a smaller or a quantised model, or spread it over more GPUs with TENSOR_PARALLEL_SIZE")
    return (
        f"The model does not fit into the GPU's memory: even with {step.share:g} of it and a context of "
        f"{step.context} tokens, {shortage.value}. What helps: {mend}."
    )
