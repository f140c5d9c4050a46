// The live page in a real browser: `node live.mjs URL FOLDER [STEPS ARGUMENTS…]`, with the steps that are listed at the end.
// Each says so when it holds.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { open } from "./chromium.mjs";

let [url, folder, chosen, ...given] = process.argv.slice(2);
const done = (what) => console.log(`ok: ${what}`);
const AREA = "[...document.querySelectorAll('#chart path')].map((path) => path.getAttribute('d')).join()";
const row = (name) => `document.querySelector('#table tr[data-name="${name}"]')`;

/** What must hold of every page at its end. */
async function orderly(page, what) {
  assert.deepEqual(page.complaints(), [], what);
  const foreign = page.requested().filter((asked) => !asked.startsWith(url) && !asked.startsWith("data:") && asked !== "about:blank");
  assert.deepEqual(foreign, [], `${what}: outside requests`);
  const shifted = await page.value("window.shifted");
  assert.ok(shifted < 0.02, `${what}: the layout shifted by ${shifted}: ${await page.value("window.shifts.join('; ')")}`);
  const wide = await page.value("document.documentElement.scrollWidth - document.documentElement.clientWidth");
  assert.ok(wide <= 0, `${what}: it is ${wide} px wider than the screen`);
  const cut = await page.value("[...document.querySelectorAll('.live.board section, .live .scroll')].filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.id || box.ariaLabel)");
  assert.deepEqual(cut, [], `${what}: cut off at the right`);
  done(`${what}: no complaint, no outside request, layout shift ${shifted.toFixed(4)}`);
}

async function mouse() {
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("functions are listed", row("fibonacci"));
  await page.until("power is told", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  assert.equal(await page.text("#nature"), "Estimated, not measured.");
  done("it loads, is live, and says what its joules are");

  assert.match(await page.text("#since"), /all calls since the daemon’s start/);
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
  await page.until("it is asked about", "document.querySelector('#confirm').open");
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
  assert.match(await page.text("#chart-said"), /^\d+ s ago: .+ \d.*W/, "what the chart shows there is said");
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
  await page.value("document.activeElement.blur()");
  const stops = new Set();
  for (;;) {
    await page.press("Tab");
    const stop = await page.value(FOCUSED);
    if (stop === null || stops.has(stop.path)) break;
    assert.ok(stop.seen, `one does not see that ${stop.path} has the focus`);
    stops.add(stop.path);
  }
  assert.ok(stops.size > 40, `the Tab key stops at ${[...stops].join(", ")}`);
  done(`the focus is seen at each of its ${stops.size} stops`);
  await orderly(page, "phone");
  await page.close();
}

/** Where the focus is, and whether an outline tells so; of a file's field it is around what is seen of it. */
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
  done("nothing moves for those who do not want it to");
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
    await page.until("it answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  };
  await page.until("power is not for everybody", "document.querySelector('#chart-note').textContent === 'A token is needed to see power'");
  await new Promise((resume) => setTimeout(resume, 4000));
  assert.match(await page.text("#more"), /token is needed/i, "that nothing is known is not that there is nothing");
  await show(caller);
  await page.until("it says why not", "/for operators; asking every few seconds/.test(document.querySelector('#status').textContent)");
  await calls();
  await page.until("calls are asked for", "document.querySelector('#calls tbody th')?.textContent === 'answer'");
  assert.match(await page.text("#since"), /calls that this page was told of/);
  done("a caller calls, is told that live events are not for callers, and still sees calls");
  await show(operator);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.click('#table tr[data-name="add"] button');
  await calls();
  await page.until("power is told", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  done("an operator sees all");
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
  done("a token is forgotten when the page is loaded again, unless it is to be remembered");
  await page.close();
}

/** With a thousand functions: how much the page's thread has to do, during which it does not answer to its user. */
async function many() {
  const page = await open();
  // Processor time, for how long it takes by the clock depends on what else this machine does.
  await page.send("Performance.enable", { timeDomain: "threadTicks" });
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
  const { metrics } = await page.send("Performance.getMetrics");
  const busy = metrics.find(({ name }) => name === "TaskDuration").value;
  assert.ok(busy < 3, `the page's thread was busy for ${busy} s`);
  done(`a thousand functions: the page's thread was busy for ${busy.toFixed(2)} s in all`);
  await orderly(page, "many");
  await page.close();
}

/** With a guest's page in the same tab, and with one that opens the daemon's page. */
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
  await page.until("the page may deploy", "/^(Deployed|Nothing new:) own/.test(document.querySelector('#deployed').textContent)");
  const secrets = await page.value("[document.querySelector('meta[name=nebula-page]').content]");
  if (token) secrets.push(token);

  await page.goto(`${url}fn/spy`);
  assert.match(await page.text("p"), /I am the page of a function/);
  const kept = await page.value("JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.cookie, history.state, window.name])");
  assert.ok(!secrets.some((secret) => kept.includes(secret)), kept);
  const read = await page.value("fetch('/', { headers: { accept: 'text/html' } }).then((answer) => answer.text())");
  assert.ok(read.includes("Joules per call") && !read.includes("nebula-page"), "the page that a script reads has nothing to show");
  const opened = `(async () => {
    const opened = open('/');
    const end = Date.now() + 5000;
    // Of a window that has gone to the page it holds nothing: it looks as if it were closed.
    while (opened && !opened.closed && Date.now() < end) await new Promise((resume) => setTimeout(resume, 20));
    return opened === null || opened.closed;
  })()`;
  assert.ok(await page.value(opened), "it holds a window of the page");
  const framed = `new Promise((resolve) => {
    const frame = document.body.appendChild(document.createElement('iframe'));
    frame.onload = () => { try { resolve(frame.contentDocument?.title ?? 'closed'); } catch { resolve('closed'); } };
    frame.src = '/';
  })`;
  assert.equal(await page.value(framed), "closed", "it holds a frame of the page");
  done("a guest's page gets no token, and no window of the page");

  const change = `fetch('/functions/own', { method: 'DELETE' }).then(async (answer) => [answer.status, (await answer.json()).type])`;
  assert.deepEqual(await page.value(change), token ? [401, "urn:nebula:no-token"] : [403, "urn:nebula:not-our-page"]);
  done("a guest's page changes nothing");

  const register = (script, scope) => page.value(`navigator.serviceWorker.register('${script}', ${scope ? `{ scope: '${scope}' }` : "undefined"}).then(({ scope }) => new URL(scope).pathname, ({ name }) => name)`);
  for (const [script, scope] of [["/worker"], ["/fn/worker"], ["/fn/worker/w.js", "/"], ["/fn/worker/w.js", "/fn/"]]) {
    assert.match(await register(script, scope), /Error$/, `${script} for ${scope}`);
  }
  assert.equal(await register("/fn/worker/w.js"), "/fn/worker/");
  done("a guest's service worker stays in its folder");
  await page.close();
}

/** With all places at `/events` taken. */
async function crowded() {
  const other = new AbortController();
  await fetch(new URL("/events", url), { signal: other.signal });
  const page = await open();
  await page.goto(url);
  await page.until("it says that it asks", "/^Too many listen already; asking every few seconds/.test(document.querySelector('#status').textContent)");
  await page.until("power is told", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  await page.click('#table tr[data-name="fibonacci-recursive"] button');
  await page.fill("#input", "27");
  await page.click("#call button");
  await page.until("an answer", "document.querySelector('#result pre')?.textContent.includes('196418')");
  await page.until("it is settled", "/±/.test(document.querySelector('#result dd strong')?.parentNode.textContent)");
  await page.until("it is counted once", `${row("fibonacci-recursive")}.cells[1].textContent === '1'`);
  await page.until("it is among the last calls", "document.querySelector('#calls tbody th')?.textContent === 'fibonacci-recursive'");
  await page.until("the chart names it", "document.querySelector('#legend').textContent.includes('fibonacci-recursive')");
  await page.until("accounts", "/add up to the total, to the microjoule/.test(document.querySelector('#residual').textContent)");
  done("where too many listen, all of it is asked for");
  other.abort();
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  assert.equal(await page.value(`${row("fibonacci-recursive")}.cells[1].textContent`), "1");
  done("it listens as soon as there is a place");
  await orderly(page, "crowded");
  await page.close();
}

/** Under more calls than are told one by one. */
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
  await page.until("their rate is told", `Number(${row("answer")}.cells[2].textContent) > 1`);
  const energies = await page.value("[...document.querySelectorAll('#table tbody tr')].slice(0, 4).map(({ dataset }) => dataset.name)");
  assert.deepEqual(energies.toSorted(), Object.keys(made).toSorted(), "those that took the most are the first");
  await page.goto(url);
  await page.until("another page counts the same", `${row("answer")}?.cells[1].textContent === '1,500'`);
  done("under load every call is counted, whoever looks and since when");
  await page.until("the chart shows what was before", "document.querySelector('#legend').textContent.includes('factorial') && document.querySelector('#chart path').getAttribute('d').length > 20");
  done("a page that was just opened shows the last minutes");
  await orderly(page, "under load");
  await page.close();
}

async function unmeasured() {
  const page = await open();
  await page.goto(url);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("it says so", "document.querySelector('#nature').textContent === 'No joules.'");
  assert.equal(await page.text("#chart-note"), "Nothing is measured here");
  await page.click('#table tr[data-name="answer"] button');
  await page.click("#call button");
  await page.until("it answers", "document.querySelector('#result pre')?.textContent.includes('42')");
  assert.match(await page.text("#result"), /not known/);
  await page.until("it is counted", `${row("answer")}.cells[1].textContent === '1'`);
  assert.equal(await page.value(`${row("answer")}.cells[3].textContent`), "—");
  done("where nothing is measured calls are counted and nothing is zero joules");
  await orderly(page, "unmeasured");
  await page.close();
}

/** The daemon is killed and comes back, at the same address. */
async function restarted() {
  const serve = (address) => {
    const child = spawn(given[0], ["serve", "--source", "model", "--listen", address], { stdio: ["ignore", "pipe", "ignore"] });
    process.on("exit", () => child.kill());
    return new Promise((resolve, reject) => {
      child.on("exit", () => reject(new Error("the daemon has ended")));
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
  await page.until("it says that it is not connected", "/^Not connected; next try in \\d+ s/.test(document.querySelector('#status').textContent)");
  await page.click("#call button");
  await page.until("a call says so too", "/cannot be reached/.test(document.querySelector('#result').textContent)");
  done("that the daemon has gone is told");
  const second = await serve(new URL(url).host);
  await page.until("the stream is open", "document.querySelector('#status').textContent === 'Live'");
  await page.until("it counts anew", `${row("answer")}.cells[1].textContent === '0'`);
  await call(1);
  await page.until("power is told", "/\\d.*W/.test(document.querySelector('#watts').textContent)");
  done("it follows the daemon that has come back");
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
