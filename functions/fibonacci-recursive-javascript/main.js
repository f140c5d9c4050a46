// Computes the n-th Fibonacci number the slow way, as `fibonacci-recursive` does in Rust: the same
// calls, so that the joules of two languages can be compared.

import { getStderr } from "wasi:cli/stderr@0.2.12";
import { getStdin } from "wasi:cli/stdin@0.2.12";
import { getStdout } from "wasi:cli/stdout@0.2.12";

// The largest n: 866,988,873 calls.
const N_MAX = 42;

// The longest input in bytes, as in the other functions.
const INPUT_BYTES_MAX = 1 << 20;

function fibonacci(n) {
  if (n < 2) return n;
  return fibonacci(n - 1) + fibonacci(n - 2);
}

// The whole input, a character for each byte: whatever is not ASCII makes no number.
function readInput() {
  const input = getStdin();
  let text = "";
  while (text.length <= INPUT_BYTES_MAX) {
    try {
      text += String.fromCharCode(...input.blockingRead(1024));
    } catch {
      // A stream ends with the error `closed`.
      return text;
    }
  }
  return "";
}

function write(stream, text) {
  stream.blockingWriteAndFlush(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

export const run = {
  run() {
    const digits = readInput().match(/^[ \t-\r]*\+?(\d+)[ \t-\r]*$/);
    const n = digits === null ? NaN : Number(digits[1]);
    // No comparison with NaN is true.
    if (!(n <= N_MAX)) {
      write(getStderr(), `error: expected a whole number from 0 to ${N_MAX}\n`);
      // The error of the function `run`, by which the exit code becomes 1.
      throw undefined;
    }
    write(getStdout(), `${fibonacci(n)}\n`);
  },
};
