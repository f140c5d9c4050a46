// Drives Chromium through its DevTools pipe, without any package.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const PATIENCE = 30_000;

export async function open({ width = 1280, height = 900, dark = false, still = false, scripts = true } = {}) {
  const profile = mkdtempSync(join(process.env.BROWSER_FOLDER ?? tmpdir(), "chromium-"));
  const options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe", `--user-data-dir=${profile}`];
  const child = spawn(process.env.CHROMIUM ?? "chromium", [...options, "about:blank"], { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const pending = new Map();
  const heard = [];
  let [next, rest] = [1, ""];
  child.stdio[4].setEncoding("utf8").on("data", (text) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop();
    for (const message of messages.map((each) => JSON.parse(each))) {
      const waiting = pending.get(message.id);
      pending.delete(message.id);
      if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
      else if (waiting) waiting.resolve(message.result);
      else heard.push(message);
    }
  });
  const send = (method, params = {}, sessionId = undefined) =>
    new Promise((resolve, reject) => {
      pending.set(next, { resolve, reject, method });
      child.stdio[3].write(`${JSON.stringify({ id: next++, method, params, sessionId })}\0`);
    });
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  const page = new Page((method, params) => send(method, params, sessionId), heard);
  for (const domain of ["Page", "Runtime", "Network", "Log", "DOM"]) await page.send(`${domain}.enable`);
  await page.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: width < 600 });
  const features = { "prefers-color-scheme": dark ? "dark" : "light", "prefers-reduced-motion": still ? "reduce" : "no-preference" };
  await page.send("Emulation.setEmulatedMedia", { features: Object.entries(features).map(([name, value]) => ({ name, value })) });
  if (!scripts) await page.send("Emulation.setScriptExecutionDisabled", { value: true });
  await page.send("Page.addScriptToEvaluateOnNewDocument", { source: WATCH_SHIFTS });
  page.close = async () => {
    // Chromium's processes exit one by one: some may still write to the profile after the first has exited.
    await Promise.race([send("Browser.close").catch(() => {}), ended]);
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  return page;
}

const WATCH_SHIFTS = `window.shifted = 0; window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      window.shifted += entry.value;
      window.shifts.push(entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName).join());
    }
  }).observe({ type: "layout-shift", buffered: true });`;

const KEYS = { Tab: 9, Enter: 13, Escape: 27, " ": 32, ArrowLeft: 37, ArrowRight: 39 };

class Page {
  constructor(send, heard) {
    Object.assign(this, { send, heard });
  }

  async goto(url) {
    await this.send("Page.navigate", { url });
    await this.until("the page is loaded", "document.readyState === 'complete' && location.href !== 'about:blank'");
  }

  /** Evaluates an expression in the page. */
  async value(expression) {
    const asked = { expression, returnByValue: true, awaitPromise: true, userGesture: true };
    const { result, exceptionDetails } = await this.send("Runtime.evaluate", asked);
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  text(selector) {
    return this.value(`document.querySelector(${JSON.stringify(selector)})?.textContent ?? ""`);
  }

  /** Waits until the expression is truthy, and returns its value. */
  async until(what, expression) {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const value = await this.value(expression);
      if (value) return value;
      if (Date.now() > end) throw new Error(`timed out waiting until ${what}; ${await this.text("body")}`);
      await new Promise((resume) => setTimeout(resume, 50));
    }
  }

  async click(selector) {
    const place = `(() => { const node = document.querySelector(${JSON.stringify(selector)}); node.scrollIntoView({ block: "center" });
      const { x, y, width, height } = node.getBoundingClientRect(); return { x: x + width / 2, y: y + height / 2 }; })()`;
    const point = { ...(await this.value(place)), button: "left", clickCount: 1 };
    await this.send("Input.dispatchMouseEvent", { ...point, type: "mousePressed" });
    await this.send("Input.dispatchMouseEvent", { ...point, type: "mouseReleased" });
  }

  async press(key, modifiers = 0) {
    const text = { Enter: "\r", " ": " " }[key];
    const event = { key, code: key === " " ? "Space" : key, windowsVirtualKeyCode: KEYS[key], modifiers };
    await this.send("Input.dispatchKeyEvent", { ...event, type: text ? "keyDown" : "rawKeyDown", text });
    await this.send("Input.dispatchKeyEvent", { ...event, type: "keyUp" });
  }

  type(text) {
    return this.send("Input.insertText", { text });
  }

  /** Replaces the text of a field. */
  async fill(selector, text) {
    await this.value(`(() => { const node = document.querySelector(${JSON.stringify(selector)}); node.focus(); node.select(); })()`);
    await this.type(text);
  }

  /** Presses Tab until the element has the focus. */
  async tabTo(selector, most = 80) {
    for (let times = 0; times < most; times += 1) {
      await this.press("Tab");
      if (await this.value(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
    }
    throw new Error(`${selector} cannot be reached with Tab`);
  }

  async files(selector, files) {
    const { root } = await this.send("DOM.getDocument");
    const { nodeId } = await this.send("DOM.querySelector", { nodeId: root.nodeId, selector });
    await this.send("DOM.setFileInputFiles", { nodeId, files });
  }

  /** Errors and warnings of the page, except failed requests, which tests provoke. */
  complaints() {
    const said = ({ method, params }) => {
      if (method === "Runtime.exceptionThrown") return params.exceptionDetails.exception?.description ?? params.exceptionDetails.text;
      if (method === "Runtime.consoleAPICalled" && ["error", "warning"].includes(params.type)) return JSON.stringify(params.args);
      if (method === "Log.entryAdded" && params.entry.level === "error" && params.entry.source !== "network") return params.entry.text;
      return undefined;
    };
    return this.heard.map(said).filter(Boolean);
  }

  requested() {
    return this.heard.filter(({ method }) => method === "Network.requestWillBeSent").map(({ params }) => params.request.url);
  }

  /** A screenshot of the whole page, as WebP. */
  async picture() {
    const { cssContentSize: size } = await this.send("Page.getLayoutMetrics");
    const clip = { x: 0, y: 0, width: size.width, height: size.height, scale: 1 };
    const { data } = await this.send("Page.captureScreenshot", { format: "webp", quality: 72, captureBeyondViewport: true, clip });
    return Buffer.from(data, "base64");
  }
}
