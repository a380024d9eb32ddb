"""Asks vLLM itself, inside its image: does its parser take the launcher's command lines, and does the launcher
understand its complaints? The flavour for GPUs is never run in the tests; the one for processors has the same parser
and the same checks. Prints one line with the answers, as JSON.
"""

import json
from types import SimpleNamespace

from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.core.kv_cache_utils import _check_enough_kv_cache_memory
from vllm.v1.worker.utils import request_memory

from launcher.arguments import command
from launcher.ladder import Step, diagnose
from launcher.settings import Settings


def parsed(words):
    found = make_arg_parser(FlexibleArgumentParser()).parse_args(words[3:])
    plain = (str, int, float, list, type(None))
    return {name: value for name, value in vars(found).items() if isinstance(value, plain)}


def refused(words):
    try:
        parsed(words)
    except SystemExit:
        return True


def complaint(check, *arguments):
    try:
        check(*arguments)
    except ValueError as error:
        return diagnose(str(error)).name


cuda = command(Settings.load({"FLAVOUR": "cuda", "TENSOR_PARALLEL_SIZE": "2"}), Step(0.8, 16384))
gpu = SimpleNamespace(total_memory=24 << 30, free_memory=10 << 30, device_="cuda:0")
print(
    "RESULT"
    + json.dumps(
        {
            "cuda": parsed(cuda),
            "cpu": parsed(command(Settings.load({"FLAVOUR": "cpu"}), Step(0.8, 16384))),
            "wrong": refused([*cuda, "--gpu-memory-utilisation", "0.8"]),
            "complaints": [
                complaint(_check_enough_kv_cache_memory, 0, lambda: 9, 32768, lambda memory: 0),
                complaint(_check_enough_kv_cache_memory, 5 << 30, lambda: 9 << 30, 32768, lambda memory: 9),
                complaint(request_memory, gpu, SimpleNamespace(gpu_memory_utilization=0.9)),
            ],
        }
    )
)
