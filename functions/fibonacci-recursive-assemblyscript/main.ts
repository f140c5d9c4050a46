// Computes the n-th Fibonacci number the slow way, as `fibonacci-recursive` does in Rust: the same
// calls, so that the joules of two languages can be compared.

// The largest n: 866,988,873 calls, some seconds of work.
const N_MAX: u32 = 42;

// The longest input in bytes, as in the other functions.
const INPUT_BYTES_MAX: i32 = 1 << 20;

const CHUNK_BYTES: i32 = 1024;

function fibonacci(n: u32): u32 {
  if (n < 2) return n;
  return fibonacci(n - 1) + fibonacci(n - 2);
}

// The whole input, or null where it is too long.
function readInput(): string | null {
  const chunk = new ArrayBuffer(CHUNK_BYTES);
  let input = "";
  let count = process.stdin.read(chunk);
  while (count > 0) {
    // Whatever is not ASCII makes no number, so that it does not matter where a character is cut.
    input += String.UTF8.decode(chunk.slice(0, count));
    if (input.length > INPUT_BYTES_MAX) return null;
    count = process.stdin.read(chunk);
  }
  return input;
}

// The number that the text holds with nothing but white space around it, or -1.
function parse(text: string | null): i32 {
  if (text === null) return -1;
  let digits = text.trim();
  if (digits.startsWith("+")) digits = digits.substring(1);
  if (digits.length == 0) return -1;
  let n: u32 = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit: u32 = digits.charCodeAt(i) - 0x30;
    if (digit > 9) return -1;
    n = n * 10 + digit;
    if (n > N_MAX) return -1;
  }
  return n;
}

const n = parse(readInput());
if (n < 0) {
  process.stderr.write(`error: expected a whole number from 0 to ${N_MAX}\n`);
  process.exit(1);
}
process.stdout.write(`${fibonacci(n)}\n`);
