"""Computes the n-th Fibonacci number the slow way, as `fibonacci-recursive` does in Rust: the same
calls, so that the joules of two languages can be compared."""

import re
import sys

from componentize_py_types import Err
from wit_world import exports

# The largest n: 866,988,873 calls.
N_MAX = 42

# The longest input in bytes, as in the other functions.
INPUT_BYTES_MAX = 1 << 20


def fibonacci(n: int) -> int:
    if n < 2:
        return n
    return fibonacci(n - 1) + fibonacci(n - 2)


def parse(text: bytes) -> int | None:
    digits = re.fullmatch(rb"\s*\+?0*([0-9]{1,2})\s*", text)
    if digits is None or int(digits[1]) > N_MAX:
        return None
    return int(digits[1])


class Run(exports.Run):
    def run(self) -> None:
        text = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
        n = parse(text) if len(text) <= INPUT_BYTES_MAX else None
        if n is None:
            sys.stderr.write(f"error: expected a whole number from 0 to {N_MAX}\n")
            # The error of the function `run`, by which the exit code becomes 1.
            raise Err(None)
        sys.stdout.write(f"{fibonacci(n)}\n")
        sys.stdout.flush()
