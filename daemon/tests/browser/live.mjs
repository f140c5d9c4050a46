// Tests the live page in a real browser: `node live.mjs URL FOLDER [STEPS ARGUMENTS…]`. `STEPS`, at the end, lists the steps.
// Each check prints a line when it passes.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { open } from "./chromium.mjs";

let [url, folder, chosen, ...given] = process.argv.slice(2);
const done = (what) => console.log(`ok: ${what}`);
const AREA = "[...document.querySelectorAll('#chart path')].map((path) => path.getAttribute('d')).join()";
const row = (name) => `document.querySelector('#table tr[data-name="${name}"]')`;

/** Checks every page at the end of its test. */
async function orderly(page, what) {
  assert.deepEqual(page.complaints(), [], what);
  const foreign = page.requested().filter((asked) => !asked.startsWith(url) && !asked.startsWith("data:") && asked !== "about:blank");
  assert.deepEqual(foreign, [], `${what}: outside requests`);
  const shifted = await page.value("window.shifted");
  assert.ok(shifted < 0.02, `${what}: the layout shifted by ${shifted}: ${await page.value("window.shifts.join('; ')")}`);
  const wide = await page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.ok(wide <= 0, `${what}: the page is ${wide} px wider than the screen`);
  const cut = await page.value("[...document.querySelectorAll('.live.board section, .live .scroll')].filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.id || box.ariaLabel)");
  assert.deepEqual(cut, [], `${what}: cut off at the right`);
  done(`${what}: no errors, no outside requests, layout shift ${shifted.toFixed(4)}`);
}

async function mouse() {
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("functions are listed", row("fibonacci"));
  await page.until("power is shown", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  assert.equal(await page.text("#nature"), "Estimated, not measured.");
  assert.match(await page.text("#source"), /ranks functions by CPU time/);
  assert.match(await page.text("#watts-error"), /^± \d.*W$/);
  done("the page loads, goes live and says how far to trust its joules");

  assert.match(await page.text("#since"), /all calls since the daemon started/);
  const before = await page.value(AREA);
  await page.click('#table tr[data-name="fibonacci-recursive"] button');
  await page.fill("#input", "27");
  await page.click("#call button");
  await page.until("the output appears", "document.querySelector('#result pre')?.textContent.includes('196418')");
  await page.until("the call is settled", "/±/.test(document.querySelector('#result dd strong')?.parentNode.textContent)");
  await page.until("the call is counted", `${row("fibonacci-recursive")}.cells[1].textContent === '1'`);
  await page.until("the call is listed", "document.querySelector('#calls tbody th')?.textContent === 'fibonacci-recursive'");
  await page.until("the chart moves", `${AREA} !== ${JSON.stringify(before)}`);
  await page.until("the chart names the function", "document.querySelector('#legend').textContent.includes('fibonacci-recursive')");
  done("a call shows its answer, its estimate and its charge, and the chart moves");

  await page.until("the accounts are shown", "/add up to the total, to the microjoule/.test(document.querySelector('#residual').textContent)");
  const parts = await page.value("[...document.querySelectorAll('#stack i')].reduce((sum, { style }) => sum + Number(style.flexGrow), 0)");
  assert.ok(Math.abs(parts - 1) < 1e-6, `${parts}`);
  done("the accounts add up");

  await page.files("#file", [join(folder, "Six Times Seven.wat"), join(folder, "Six Times Seven.toml")]);
  await page.until("a name is suggested", "document.querySelector('#name').value === 'six-times-seven'");
  await page.click("#deploy form button");
  await page.until("the module is deployed", "/^Deployed six-times-seven/.test(document.querySelector('#deployed').textContent)");
  await page.until("the function is selected", "document.querySelector('#try-title').textContent === 'six-times-seven'");
  await page.click("#call button");
  await page.until("the function answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  done("a module is uploaded with its manifest, and called");

  await page.files("#file", [join(folder, "garbage.wasm")]);
  await page.click("#deploy form button");
  await page.until("an error is shown", "document.querySelector('#deployed .error')?.textContent.length > 10");
  assert.match(await page.text("#deployed"), /\S+: \S+/);
  done(`garbage is refused with an explanation: ${await page.text("#deployed")}`);

  const drop = (number) => `(() => { const data = new DataTransfer(); data.items.add(new File(['(module (func (export "run") (result i32) i32.const ${number}))'], "dropped.wat"));
    for (const type of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true })); })()`;
  await page.value(drop(7));
  await page.click("#deploy form button");
  await page.until("the dropped module is deployed", row("dropped"));
  const first = await page.until("the function is selected", "document.querySelector('#try-title').textContent === 'dropped' && document.querySelector('#facts').textContent");
  await page.value(drop(8));
  await page.click("#deploy form button");
  await page.until("its next version is served", `document.querySelector('#facts').textContent !== ${JSON.stringify(first)}`);
  done("a module and its next version are dropped and deployed");

  await page.click("#versions summary");
  await page.until("there is a version to roll back to", "document.querySelector('#versions li button')");
  await page.click("#versions li button");
  await page.until("the page asks for confirmation", "document.querySelector('#confirm').open");
  await page.click("#confirm [value=yes]");
  await page.until("the previous version is served", `document.querySelector('#facts').textContent === ${JSON.stringify(first)}`);
  await page.click("#call button");
  await page.until("the previous version answers", "document.querySelector('#result pre')?.textContent.trim() === '7'");
  done("a function is rolled back");

  await page.until("there is a button to remove it", "document.querySelector('#versions .danger')");
  await page.click("#versions .danger");
  await page.until("the page asks for confirmation", "document.querySelector('#confirm').open");
  await page.click("#confirm [value=no]");
  assert.ok(await page.value(`Boolean(${row("dropped")})`));
  await page.click("#versions .danger");
  await page.until("the page asks for confirmation", "document.querySelector('#confirm').open");
  await page.click("#confirm [value=yes]");
  await page.until("the function is gone", `!${row("dropped")}`);
  done("a function is removed only after confirmation");

  await page.click('#table tr[data-name="complain"] button');
  await page.fill("#input", "<img src=x onerror=alert(1)>");
  await page.click("#call button");
  await page.until("the failure is shown", "document.querySelector('#result .error')");
  assert.ok(await page.value("document.querySelector('#result img') === null"));
  done("a failed call is shown, and a guest's output is never markup");

  await page.fill("#filter", "fibo");
  await page.until("the list is filtered", "[...document.querySelectorAll('#table tbody tr')].every((row) => row.dataset.name.includes('fibo'))");
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
  await page.until("the input field has the focus", "document.activeElement.id === 'input'");
  await page.press("Enter", 2);
  await page.until("the function answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  await page.until("power is shown", "document.querySelectorAll('#legend tbody tr').length > 0");
  await page.value("document.querySelector('#token').focus()");
  await page.tabTo("#chart");
  await page.press("ArrowLeft");
  assert.match(await page.text("#chart-said"), /^\d+ s ago: .+ \d.*W/, "the values at the cursor are announced");
  await page.press("Escape");
  await page.value("document.querySelector('#token').focus()");
  await page.press("Enter");
  await page.until("the dialog is open", "document.querySelector('#token-dialog').open");
  await page.press("Escape");
  await page.until("the dialog is closed", "!document.querySelector('#token-dialog').open");
  const nameless = `[...document.querySelectorAll('button, input, textarea, [tabindex], [role=img]')].filter((node) => node.closest('.plain') === null)
    .filter((node) => !(node.textContent.trim() || node.ariaLabel || node.labels?.length || node.getAttribute('aria-labelledby'))).map(({ outerHTML }) => outerHTML)`;
  assert.deepEqual(await page.value(nameless), [], "without an accessible name");
  done("everything works with the keyboard");
  await page.value("document.activeElement.blur()");
  const stops = new Set();
  for (;;) {
    await page.press("Tab");
    const stop = await page.value(FOCUSED);
    if (stop === null || stops.has(stop.path)) break;
    assert.ok(stop.seen, `${stop.path} shows no focus outline`);
    stops.add(stop.path);
  }
  assert.ok(stops.size > 40, `the Tab key stops at ${[...stops].join(", ")}`);
  done(`all ${stops.size} tab stops show a focus outline`);
  await orderly(page, "phone");
  await page.close();
}

/** The focused element, and whether it has an outline. The outline of a file field is on its visible sibling. */
const FOCUSED = `(() => {
  const node = document.activeElement;
  if (node === document.body) return null;
  const path = node.id || [node.closest("[id]")?.id, node.closest("[data-name]")?.dataset.name, node.textContent.trim().slice(0, 20)].join("/");
  const outlined = node.matches("[type=file]") ? node.nextElementSibling : node;
  return { path, seen: getComputedStyle(outlined).outlineStyle !== "none" };
})()`;

async function still() {
  const page = await open({ still: true });
  await page.goto(url);
  const moving = `[...document.querySelectorAll("*")].filter((node) => getComputedStyle(node).transitionDuration !== "0s" || getComputedStyle(node).animationName !== "none").length`;
  assert.equal(await page.value(moving), 0);
  done("nothing moves with reduced motion");
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
  done("without scripts the plain page is shown");
  await page.close();
}

async function closed() {
  const page = await open();
  await page.goto(url);
  await page.until("the page asks for a token", "/token is needed/.test(document.querySelector('#status').textContent)");
  assert.equal(await page.value("document.querySelectorAll('#table tbody tr').length"), 0);
  const [caller, operator] = given;
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
    await page.until("the function answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  };
  await page.until("the chart asks for a token", "document.querySelector('#chart-note').textContent === 'A token is needed to see power'");
  await new Promise((resume) => setTimeout(resume, 4000));
  assert.match(await page.text("#more"), /token is needed/i, "the page does not claim that there are no functions");
  await show(caller);
  await page.until("the page says why it refreshes", "/for operators; refreshing every few seconds/.test(document.querySelector('#status').textContent)");
  await calls();
  await page.until("calls are listed", "document.querySelector('#calls tbody th')?.textContent === 'answer'");
  assert.match(await page.text("#since"), /calls this page has seen/);
  done("a caller can call and see calls, and learns that live events are for operators");
  await show(operator);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.click('#table tr[data-name="add"] button');
  await calls();
  await page.until("power is shown", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  done("an operator sees everything");
  await orderly(page, "with a token");
  await page.goto(url);
  await page.until("the token is forgotten", "/token is needed/.test(document.querySelector('#status').textContent)");
  await page.click("#token");
  await page.click("#token-remember");
  await page.value("document.querySelector('#token-text').focus()");
  await page.type(operator);
  await page.press("Enter");
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.goto(url);
  await page.until("the token is remembered", "document.querySelector('#status').textContent === 'Live'");
  done("a reload forgets the token unless the user chose to remember it");
  await page.close();
}

/** With a thousand functions, the page's thread must not be busy for so long that the page stops responding. */
async function many() {
  const page = await open();
  // CPU time, because wall time depends on what else the machine is doing.
  await page.send("Performance.enable", { timeDomain: "threadTicks" });
  await page.goto(url);
  await page.until("functions are listed", "document.querySelectorAll('#table tbody tr').length === 100");
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.fill("#filter", "f-77");
  await page.until("the list is filtered", "/^1[01] of/.test(document.querySelector('#count').textContent)");
  await page.fill("#filter", "");
  await page.click("#more button");
  await page.until("more rows are shown", "document.querySelectorAll('#table tbody tr').length === 200");
  await page.click('#table [data-key="rate"]');
  await new Promise((resume) => setTimeout(resume, 3000));
  const { metrics } = await page.send("Performance.getMetrics");
  const busy = metrics.find(({ name }) => name === "TaskDuration").value;
  assert.ok(busy < 3, `the page's thread was busy for ${busy} s`);
  done(`a thousand functions: the page's thread was busy for ${busy.toFixed(2)} s in total`);
  await orderly(page, "many");
  await page.close();
}

/** A guest's page must not reach the token or the daemon's page, in the same tab or through a window or frame. */
async function spied() {
  const [token] = given;
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  const module = "(module (func (export \"run\") (result i32) i32.const 1))";
  if (token) {
    await page.click("#token");
    await page.type(token);
    await page.press("Enter");
  }
  await page.value(`(() => { const data = new DataTransfer(); data.items.add(new File([${JSON.stringify(module)}], "own.wat"));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })); })()`);
  await page.click("#deploy form button");
  await page.until("the page may deploy", "/^(Deployed|Unchanged:) own/.test(document.querySelector('#deployed').textContent)");
  const secrets = await page.value("[document.querySelector('meta[name=nebula-page]').content]");
  if (token) secrets.push(token);

  await page.goto(`${url}fn/spy`);
  assert.match(await page.text("p"), /I am the page of a function/);
  const kept = await page.value("JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, history.state, window.name])");
  assert.ok(!secrets.some((secret) => kept.includes(secret)), kept);
  const read = await page.value("fetch('/', { headers: { accept: 'text/html' } }).then((answer) => answer.text())");
  assert.ok(read.includes("Joules per call") && !read.includes("nebula-page"), "a page read by a script carries no proof");
  const opened = `(async () => {
    const opened = open('/');
    const end = Date.now() + 5000;
    // Once the window has loaded the page, the opener loses it: the window looks closed.
    while (opened && !opened.closed && Date.now() < end) await new Promise((resume) => setTimeout(resume, 20));
    return opened === null || opened.closed;
  })()`;
  assert.ok(await page.value(opened), "a guest's page keeps hold of the page's window");
  const framed = `new Promise((resolve) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.onload = () => { try { resolve(frame.contentDocument?.title ?? 'closed'); } catch { resolve('closed'); } };
    frame.src = '/';
  })`;
  assert.equal(await page.value(framed), "closed", "a guest's page frames the page");
  done("a guest's page gets neither the token nor a window of the page");

  const change = `fetch('/functions/own', { method: 'DELETE' }).then(async (answer) => [answer.status, (await answer.json()).type])`;
  assert.deepEqual(await page.value(change), token ? [401, "urn:nebula:no-token"] : [403, "urn:nebula:not-our-page"]);
  done("a guest's page changes nothing");

  const register = (script, scope) => page.value(`navigator.serviceWorker.register('${script}', ${scope ? `{ scope: '${scope}' }` : "undefined"}).then(({ scope }) => new URL(scope).pathname, ({ name }) => name)`);
  for (const [script, scope] of [["/worker"], ["/fn/worker"], ["/fn/worker/w.js", "/"], ["/fn/worker/w.js", "/fn/"]]) {
    assert.match(await register(script, scope), /Error$/, `${script} for ${scope}`);
  }
  assert.equal(await register("/fn/worker/w.js"), "/fn/worker/");
  done("a guest's service worker stays within its own path");
  await page.close();
}

/** All places at `/events` are taken. */
async function crowded() {
  const other = new AbortController();
  await fetch(new URL("/events", url), { signal: other.signal });
  const page = await open();
  await page.goto(url);
  await page.until("the page says that it refreshes", "/^Too many pages are listening; refreshing every few seconds/.test(document.querySelector('#status').textContent)");
  await page.until("power is shown", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  await page.click('#table tr[data-name="fibonacci-recursive"] button');
  await page.fill("#input", "27");
  await page.click("#call button");
  await page.until("the output appears", "document.querySelector('#result pre')?.textContent.includes('196418')");
  await page.until("the call is settled", "/±/.test(document.querySelector('#result dd strong')?.parentNode.textContent)");
  await page.until("the call is counted once", `${row("fibonacci-recursive")}.cells[1].textContent === '1'`);
  await page.until("the call is listed", "document.querySelector('#calls tbody th')?.textContent === 'fibonacci-recursive'");
  await page.until("the chart names the function", "document.querySelector('#legend').textContent.includes('fibonacci-recursive')");
  await page.until("the accounts are shown", "/add up to the total, to the microjoule/.test(document.querySelector('#residual').textContent)");
  done("with too many listeners, the page polls for everything");
  other.abort();
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  assert.equal(await page.value(`${row("fibonacci-recursive")}.cells[1].textContent`), "1");
  done("the page listens as soon as there is a place");
  await orderly(page, "crowded");
  await page.close();
}

/** More calls than the daemon sends events for. */
async function loaded() {
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  const made = { answer: 1500, echo: 700, add: 300, factorial: 35 };
  const caller = async (name, calls, callers) => {
    for (let call = 0; call < calls; call += callers) {
      const answer = await fetch(new URL(`/invoke/${name}?input=${name === "factorial" ? 7 : ""}`, url));
      await answer.arrayBuffer();
    }
  };
  const callers = Object.entries(made).flatMap(([name, calls]) => Array.from({ length: 5 }, () => caller(name, calls, 5)));
  await Promise.all(callers);
  for (const [name, calls] of Object.entries(made)) {
    await page.until(`all calls of ${name} are counted`, `${row(name)}.cells[1].textContent === '${calls.toLocaleString("en")}'`);
    const joules = await page.value(`${row(name)}.cells[3].textContent`);
    assert.match(joules, /\d.*J$/, `${name}: ${joules}`);
  }
  await page.until("the rate is shown", `Number(${row("answer")}.cells[2].textContent) > 1`);
  const energies = await page.value("[...document.querySelectorAll('#table tbody tr')].slice(0, 3).map(({ dataset }) => dataset.name)");
  assert.ok(energies.every((name) => name in made), `the functions that used the most come first: ${energies}`);
  await page.goto(url);
  await page.until("a reloaded page shows the same count", `${row("answer")}?.cells[1].textContent === '1,500'`);
  done("under load every call is counted, whenever the page was opened");
  await page.until("the chart shows the time before", "document.querySelector('#legend').textContent.includes('factorial') && document.querySelector('#chart path').getAttribute('d').length > 20");
  done("a newly opened page shows the last minutes");
  await orderly(page, "under load");
  await page.close();
}

async function unmeasured() {
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("the page says so", "document.querySelector('#nature').textContent === 'Not measured.'");
  assert.equal(await page.text("#chart-note"), "No energy is measured");
  await page.click('#table tr[data-name="answer"] button');
  await page.click("#call button");
  await page.until("the function answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  assert.match(await page.text("#result"), /not known/);
  await page.until("the call is counted", `${row("answer")}.cells[1].textContent === '1'`);
  assert.equal(await page.value(`${row("answer")}.cells[3].textContent`), "—");
  done("without a meter, calls are counted and no energy is shown as zero");
  await orderly(page, "unmeasured");
  await page.close();
}

/** The daemon is killed and restarted at the same address. */
async function restarted() {
  const serve = (address) => {
    const child = spawn(given[0], ["serve", "--source", "model", "--listen", address], { stdio: ["ignore", "pipe", "ignore"] });
    process.on("exit", () => child.kill());
    return new Promise((resolve, reject) => {
      child.on("exit", () => reject(new Error("the daemon exited")));
      child.stdout.once("data", (line) => resolve({ child, url: `${/http:\S+/.exec(line)[0]}/` }));
    });
  };
  const first = await serve("127.0.0.1:0");
  url = first.url;
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  const call = async (counted) => {
    await page.until("functions are listed", row("answer"));
    await page.click('#table tr[data-name="answer"] button');
    await page.click("#call button");
    await page.until(`${counted} is counted`, `${row("answer")}.cells[1].textContent === '${counted}'`);
  };
  await call(1);
  await call(2);
  first.child.removeAllListeners("exit");
  first.child.kill("SIGKILL");
  await page.until("the page says that it is not connected", "/^Not connected; retrying in \\d+ s/.test(document.querySelector('#status').textContent)");
  await page.click("#call button");
  await page.until("a call fails with the same message", "/Cannot reach the daemon/.test(document.querySelector('#result').textContent)");
  done("the page says that the daemon is gone");
  const second = await serve(new URL(url).host);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("counts start again at zero", `${row("answer")}.cells[1].textContent === '0'`);
  await call(1);
  await page.until("power is shown", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  done("the page follows the restarted daemon");
  await orderly(page, "after the daemon was killed");
  second.child.removeAllListeners("exit");
  await page.close();
}

const STEPS = {
  closed: [closed], // CALLER OPERATOR: tokens
  crowded: [crowded],
  loaded: [loaded],
  many: [many],
  restarted: [restarted], // NEBULA: the program
  spied: [spied], // [OPERATOR]: a token, where one is needed to change something
  unmeasured: [unmeasured],
};
try {
  for (const step of STEPS[chosen] ?? [mouse, keyboard, still, plain]) await step();
} catch (error) {
  console.error(error.stack);
  process.exit(1);
}
writeFileSync(join(folder, "done"), "");
process.exit(0);
