// Calls several functions at varying rates, as people would, until stopped: `node load.mjs URL`.

const url = process.argv[2];
const SUDOKU = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5....8..79";

/** Path, input, highest rate in calls per second, and period (in seconds) and depth of the rate's wave. */
const CALLERS = [
  ["fn/hello-http", "", 120, 90, 0.3],
  ["invoke/fibonacci-recursive", "27", 9, 140, 0.8],
  ["invoke/option-pricing", "100,105,0.03,0.2,1,200000", 8, 75, 0.6],
  ["invoke/sudoku", SUDOKU, 25, 60, 0.9],
  ["invoke/prime-number", "600", 25, 200, 0.5],
  ["invoke/estimate-pi", "1000000", 5, 100, 1],
  ["invoke/echo", "Hello, joules!", 20, 50, 0.2],
  ["fn/http-echo", "any bytes", 10, 80, 0.5],
  ["invoke/fibonacci-recursive-c", "27", 4, 120, 0.5],
  ["invoke/factorial", "35", 6, 70, 0.4],
  ["invoke/add", "2,3", 2, 60, 0],
];

async function caller([path, body, most, wave, depth], number) {
  for (;;) {
    const phase = (2 * Math.PI * performance.now()) / 1000 / wave + number;
    const rate = most * (1 - depth * (0.5 + 0.5 * Math.sin(phase)));
    if (rate > most / 50) await fetch(new URL(path, url), { method: "POST", body }).then((answer) => answer.arrayBuffer());
    // Independent callers: the times between their calls are distributed exponentially.
    const pause = -Math.log(Math.random()) / Math.max(rate, 0.2);
    await new Promise((resume) => setTimeout(resume, 1000 * pause));
  }
}

await Promise.all(CALLERS.map(caller));
