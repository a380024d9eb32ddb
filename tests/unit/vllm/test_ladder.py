"""The ladder: what is tried next when the model does not fit, and what the operator is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.ladder import CONTEXTS, SHARES, Shortage, Step, diagnose, explain, give_up, step_down

TOP = Step(0.9, 32768)
#: Lines of vLLM 0.32 and PyTorch, as they print them.
LINES = [
    (
        "(EngineCore pid=9) ERROR 11-22 [core.py:1510] ValueError: Free memory on device cuda:0 (20.1/23.6 GiB) on "
        "startup is less than desired GPU memory utilization (0.9, 21.24 GiB). Decrease GPU memory utilization or "
        "reduce GPU memory used by other processes.",
        Shortage.BUSY,
    ),
    (
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when "
        "initializing the engine",
        Shortage.WEIGHTS,
    ),
    (
        "ValueError: To serve at least one request with the model's max seq len (32768), (4.5 GiB KV cache is needed, "
        "which is larger than the available KV cache memory (1.9 GiB). Based on the available memory, the estimated "
        "maximum model length is 13840.",
        Shortage.CACHE,
    ),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.19 GiB. GPU 0 has a total", Shortage.MEMORY),
    ("RuntimeError: CUDA error: out of memory", Shortage.MEMORY),
    (
        "RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try "
        "lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine.",
        Shortage.MEMORY,
    ),
]


@pytest.mark.parametrize(("line", "shortage"), LINES)
def test_each_complaint_of_vllm_about_memory_is_told_from_the_others(line: str, shortage: Shortage) -> None:
    assert diagnose(line) is shortage


@pytest.mark.parametrize(
    "line",
    [
        "INFO 11-22 [kv_cache_utils.py:2327] GPU KV cache size: 46,592 tokens",
        "INFO [gpu_worker.py:760] Available KV cache memory: 12.1 GiB",
        "ValueError: There is no module or parameter named 'x'",
        "",
    ],
)
def test_other_lines_are_no_shortage(line: str) -> None:
    assert diagnose(line) is None


def descent(step: Step, shortage: Shortage) -> list[Step]:
    """Every step that is tried while the same thing stays short."""
    steps = []
    lower = step_down(step, shortage)
    while lower:
        steps.append(lower)
        lower = step_down(lower, shortage)
    return steps


def test_out_of_memory_takes_less_of_the_gpu_first_and_shortens_the_context_then() -> None:
    assert descent(TOP, Shortage.MEMORY) == [Step(0.8, 32768), Step(0.7, 32768), Step(0.7, 16384), Step(0.7, 8192)]


def test_a_gpu_that_others_use_is_shared_and_the_context_stays() -> None:
    assert descent(TOP, Shortage.BUSY) == [Step(0.8, 32768), Step(0.7, 32768)]


def test_a_cache_that_is_too_small_shortens_the_context_at_once_and_never_takes_less_of_the_gpu() -> None:
    assert descent(TOP, Shortage.CACHE) == [Step(0.9, 16384), Step(0.9, 8192)]


def test_weights_that_fill_the_gpu_end_the_ladder_at_once() -> None:
    assert descent(TOP, Shortage.WEIGHTS) == []


def test_settings_between_the_rungs_go_to_the_next_lower_one() -> None:
    assert step_down(Step(0.85, 20000), Shortage.MEMORY) == Step(0.8, 20000)
    assert step_down(Step(0.7, 20000), Shortage.MEMORY) == Step(0.7, 16384)
    assert step_down(Step(0.5, 4096), Shortage.MEMORY) is None


@given(st.floats(0.1, 0.98), st.integers(512, 10**6), st.lists(st.sampled_from(Shortage), min_size=1, max_size=20))
def test_the_ladder_only_goes_down_and_ends_whatever_is_short(
    share: float, context: int, short: list[Shortage]
) -> None:
    step, steps = Step(share, context), 0
    for shortage in short:
        lower = step_down(step, shortage)
        if lower is None:
            continue
        assert lower.share <= step.share and lower.context <= step.context and lower != step
        step, steps = lower, steps + 1
    assert steps <= len(SHARES) + len(CONTEXTS)


def test_a_step_says_what_it_means_for_the_operator() -> None:
    share = explain(TOP, Step(0.8, 32768), Shortage.BUSY)
    assert "another program" in share and "0.8" in share and "0.9" in share
    context = explain(TOP, Step(0.9, 16384), Shortage.CACHE)
    assert "OUTLAST_CONTEXT_WINDOW=16384" in context


@pytest.mark.parametrize("shortage", Shortage)
def test_the_last_word_names_what_helps(shortage: Shortage) -> None:
    sentence = give_up(Step(0.7, 8192), shortage, "cuda")
    assert shortage.value in sentence and "What helps" in sentence
    assert "CPU_KV_CACHE" in give_up(Step(0.7, 8192), shortage, "cpu")
