// The live page in a real browser: `node live.mjs URL FOLDER [closed CALLER OPERATOR | many]`. Each step says so when it holds.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { open } from "./chromium.mjs";

const [url, folder] = process.argv.slice(2);
const done = (what) => console.log(`ok: ${what}`);
const AREA = "[...document.querySelectorAll('#chart path')].map((path) => path.getAttribute('d')).join()";
const row = (name) => `document.querySelector('#table tr[data-name="${name}"]')`;

/** What must hold of every page at its end. */
async function orderly(page, what) {
  assert.deepEqual(page.complaints(), [], what);
  const foreign = page.requested().filter((asked) => !asked.startsWith(url) && !asked.startsWith("data:") && asked !== "about:blank");
  assert.deepEqual(foreign, [], `${what}: outside requests`);
  const shifted = await page.value("window.shifted");
  assert.ok(shifted < 0.1, `${what}: the layout shifted by ${shifted}: ${await page.value("window.shifts.join('; ')")}`);
  const wide = await page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.ok(wide <= 0, `${what}: it is ${wide} px wider than the screen`);
  done(`${what}: no complaint, no outside request, layout shift ${shifted.toFixed(4)} ${process.env.SHIFTS ? await page.value("window.shifts.join('; ')") : ''}`);
}

async function mouse() {
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("functions are listed", row("fibonacci"));
  await page.until("power is told", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  assert.equal(await page.text("#nature"), "Estimated, not measured.");
  done("it loads, is live, and says what its joules are");

  const before = await page.value(AREA);
  await page.click('#table tr[data-name="fibonacci-recursive"] button');
  await page.fill("#input", "27");
  await page.click("#call button");
  await page.until("an answer", "document.querySelector('#result pre')?.textContent.includes('196418')");
  await page.until("it is settled", "/±/.test(document.querySelector('#result dd strong')?.parentNode.textContent)");
  await page.until("it is counted", `${row("fibonacci-recursive")}.cells[1].textContent === '1'`);
  await page.until("it is among the last calls", "document.querySelector('#calls tbody th')?.textContent === 'fibonacci-recursive'");
  await page.until("the chart moves", `${AREA} !== ${JSON.stringify(before)}`);
  await page.until("the chart names it", "document.querySelector('#legend').textContent.includes('fibonacci-recursive')");
  done("a call shows its answer, its estimate and its charge, and the chart moves");

  await page.until("accounts", "/add up to the total, to the microjoule/.test(document.querySelector('#residual').textContent)");
  const parts = await page.value("[...document.querySelectorAll('#stack i')].reduce((sum, { style }) => sum + Number(style.flexGrow), 0)");
  assert.ok(Math.abs(parts - 1) < 1e-6, `${parts}`);
  done("the accounts add up");

  await page.files("#file", [join(folder, "Six Times Seven.wat"), join(folder, "Six Times Seven.toml")]);
  await page.until("a name is proposed", "document.querySelector('#name').value === 'six-times-seven'");
  await page.click("#deploy form button");
  await page.until("it is deployed", "/^Deployed six-times-seven/.test(document.querySelector('#deployed').textContent)");
  await page.until("it is chosen", "document.querySelector('#try-title').textContent === 'six-times-seven'");
  await page.click("#call button");
  await page.until("it answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  done("a module and its manifest are uploaded and called");

  await page.files("#file", [join(folder, "garbage.wasm")]);
  await page.click("#deploy form button");
  await page.until("an error is shown", "document.querySelector('#deployed .error')?.textContent.length > 10");
  assert.match(await page.text("#deployed"), /\S+: \S+/);
  done(`garbage is refused in words: ${await page.text("#deployed")}`);

  const drop = (number) => `(() => { const data = new DataTransfer(); data.items.add(new File(['(module (func (export "run") (result i32) i32.const ${number}))'], "dropped.wat"));
    for (const type of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true })); })()`;
  await page.value(drop(7));
  await page.click("#deploy form button");
  await page.until("what was dropped is deployed", row("dropped"));
  const first = await page.until("it is chosen", "document.querySelector('#try-title').textContent === 'dropped' && document.querySelector('#facts').textContent");
  await page.value(drop(8));
  await page.click("#deploy form button");
  await page.until("its next version is served", `document.querySelector('#facts').textContent !== ${JSON.stringify(first)}`);
  done("a module is dropped and deployed, and its next version");

  await page.click("#versions summary");
  await page.until("it can be rolled back", "document.querySelector('#versions li button')");
  await page.click("#versions li button");
  await page.until("it is asked about", "document.querySelector('#confirm').open");
  await page.click("#confirm [value=yes]");
  await page.until("the version before is served", `document.querySelector('#facts').textContent === ${JSON.stringify(first)}`);
  await page.click("#call button");
  await page.until("it answers as before", "document.querySelector('#result pre')?.textContent.trim() === '7'");
  done("a function is rolled back");

  await page.until("it can be removed", "document.querySelector('#versions .danger')");
  await page.click("#versions .danger");
  await page.until("it is asked about", "document.querySelector('#confirm').open");
  await page.click("#confirm [value=no]");
  assert.ok(await page.value(`Boolean(${row("dropped")})`));
  await page.click("#versions .danger");
  await page.click("#confirm [value=yes]");
  await page.until("it is gone", `!${row("dropped")}`);
  done("a function is removed, once that is confirmed");

  await page.click('#table tr[data-name="complain"] button');
  await page.fill("#input", "<img src=x onerror=alert(1)>");
  await page.click("#call button");
  await page.until("the failure is shown", "document.querySelector('#result .error')");
  assert.ok(await page.value("document.querySelector('#result img') === null"));
  done("a failed call is told, and what a guest writes is text");

  await page.fill("#filter", "fibo");
  await page.until("the list is narrower", "[...document.querySelectorAll('#table tbody tr')].every((row) => row.dataset.name.includes('fibo'))");
  await page.fill("#filter", "");
  await page.click('#table [data-key="watts"]');
  assert.equal(await page.value("document.querySelector('#table [data-key=watts]').parentNode.ariaSort"), "descending");
  done("functions are filtered and sorted");
  await orderly(page, "desktop");
  await page.close();
}

async function keyboard() {
  const page = await open({ width: 360, height: 740, dark: true });
  await page.goto(url);
  await page.until("functions are listed", row("answer"));
  await page.tabTo('tr[data-name="answer"] button');
  await page.press("Enter");
  await page.until("the field has the focus", "document.activeElement.id === 'input'");
  await page.press("Enter", 2);
  await page.until("it answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  await page.until("power is told", "document.querySelectorAll('#legend tbody tr').length > 0");
  await page.value("document.querySelector('#token').focus()");
  await page.tabTo("#chart");
  await page.press("ArrowLeft");
  await page.press("Escape");
  await page.value("document.querySelector('#token').focus()");
  await page.press("Enter");
  await page.until("the dialog is open", "document.querySelector('#token-dialog').open");
  await page.press("Escape");
  await page.until("the dialog is closed", "!document.querySelector('#token-dialog').open");
  const nameless = `[...document.querySelectorAll('button, input, textarea, [tabindex], [role=img]')].filter((node) => node.closest('.plain') === null)
    .filter((node) => !(node.textContent.trim() || node.ariaLabel || node.labels?.length || node.getAttribute('aria-labelledby'))).map(({ outerHTML }) => outerHTML)`;
  assert.deepEqual(await page.value(nameless), [], "without an accessible name");
  done("all is done with the keyboard");
  await orderly(page, "phone");
  await page.close();
}

async function plain() {
  const page = await open({ scripts: false });
  await page.send("Page.navigate", { url });
  await new Promise((resume) => setTimeout(resume, 1500));
  const { root } = await page.send("DOM.getDocument");
  const outer = async (selector) => {
    const { nodeId } = await page.send("DOM.querySelector", { nodeId: root.nodeId, selector });
    return page.send("DOM.getBoxModel", { nodeId }).then(({ model }) => model.height, () => 0);
  };
  assert.ok((await outer("main.plain form[action='/invoke/answer']")) > 0, "the forms of the plain page are shown");
  assert.equal(await outer("main.live"), 0);
  done("without scripts the plain page is there");
  await page.close();
}

async function closed() {
  const page = await open();
  await page.goto(url);
  await page.until("a token is asked for", "/token is needed/.test(document.querySelector('#status').textContent)");
  assert.equal(await page.value("document.querySelectorAll('#table tbody tr').length"), 0);
  const [caller, operator] = process.argv.slice(5);
  const show = async (token) => {
    await page.click("#token");
    await page.until("the dialog is open", "document.querySelector('#token-dialog').open");
    await page.type(token);
    await page.press("Enter");
  };
  const calls = async () => {
    await page.until("functions are listed", row("answer"));
    await page.click('#table tr[data-name="answer"] button');
    await page.click("#call button");
    await page.until("it answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  };
  await show(caller);
  await page.until("it says why not", "/for operators; asking every few seconds/.test(document.querySelector('#status').textContent)");
  await calls();
  await page.until("calls are asked for", "document.querySelectorAll('#calls tbody tr').length > 0");
  done("a caller calls, is told that live events are not for callers, and still sees calls");
  await show(operator);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.click('#table tr[data-name="add"] button');
  await calls();
  await page.until("power is told", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  done("an operator sees all");
  await orderly(page, "with a token");
  await page.close();
}

/** With a thousand functions: how long the page does not answer to its user. */
async function many() {
  const page = await open();
  await page.send("Page.addScriptToEvaluateOnNewDocument", { source: LONG_TASKS });
  await page.goto(url);
  await page.until("functions are listed", "document.querySelectorAll('#table tbody tr').length === 100");
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.fill("#filter", "f-77");
  await page.until("the list is narrower", "/^1[01] of/.test(document.querySelector('#count').textContent)");
  await page.fill("#filter", "");
  await page.click("#more button");
  await page.until("more are there", "document.querySelectorAll('#table tbody tr').length === 200");
  await page.click('#table [data-key="rate"]');
  await new Promise((resume) => setTimeout(resume, 3000));
  const longest = await page.value("window.longest");
  assert.ok(longest < 2000, `a task took ${longest} ms`);
  done(`a thousand functions: the longest task took ${Math.round(longest)} ms`);
  await orderly(page, "many");
  await page.close();
}

const LONG_TASKS = `window.longest = 0;
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => { window.longest = Math.max(window.longest, duration); })).observe({ type: "longtask", buffered: true });`;

const steps = { closed: [closed], many: [many] }[process.argv[4]] ?? [mouse, keyboard, plain];
try {
  for (const step of steps) await step();
} catch (error) {
  console.error(error.stack);
  process.exit(1);
}
writeFileSync(join(folder, "done"), "");
process.exit(0);
