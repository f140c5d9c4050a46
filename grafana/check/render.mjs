// Renders dashboards with Grafana's own libraries in headless Chromium, and tells how each panel came out.
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { extname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const PAGE = fileURLToPath(new URL("page/", import.meta.url));

/** Where distributions put it. */
const BROWSERS = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** How long any step of the browser may take, in milliseconds: a machine of CI is slow, and has other things to do. */
const PATIENCE = 300_000;

/** Why nothing can be rendered here, if so. */
export function missing(modules) {
  if (!existsSync(join(modules, "node_modules/@grafana/ui"))) return "the npm packages of grafana/check are not installed";
  if (!BROWSERS.some((path) => path && existsSync(path))) return "chromium is not installed";
  return undefined;
}

/** Makes one script of the page and everything it needs. */
async function bundle(modules, folder) {
  const require = createRequire(join(modules, "package.json"));
  const esbuild = require("esbuild");
  const path = (name) => join(modules, "node_modules", name);
  await esbuild.build({
    entryPoints: { page: join(PAGE, "page.jsx") }, outdir: folder, bundle: true, minify: true, jsx: "automatic", format: "iife", target: "chrome110", logLevel: "error",
    nodePaths: [join(modules, "node_modules")],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis", "process.env": "{}" },
    loader: { ".ttf": "file", ".woff": "file", ".woff2": "file", ".svg": "dataurl", ".png": "dataurl" },
    // One copy of each: two of a context, or of a style cache, do not see each other.
    alias: {
      "@grafana/data": path("@grafana/data/dist/cjs/index.cjs"), "@grafana/ui": path("@grafana/ui/dist/cjs/index.cjs"), "@grafana/runtime": path("@grafana/runtime/dist/cjs/index.cjs"), "@grafana/i18n": path("@grafana/i18n/dist/cjs/index.cjs"),
      "@emotion/css": existsSync(path("@grafana/ui/node_modules/@emotion/css")) ? path("@grafana/ui/node_modules/@emotion/css") : path("@emotion/css"),
    },
  });
  writeFileSync(join(folder, "page.html"), readFileSync(join(PAGE, "page.html")));
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".woff": "font/woff" };

async function serve(folder, icons) {
  const server = createServer(({ url }, answer) => {
    const name = new URL(url, "http://host").pathname;
    const icon = /img\/icons\/(.+\.svg)$/.exec(name);
    // A Grafana server has more icons than its library: that of a slow query, for one.
    if (icon && !existsSync(join(icons, icon[1]))) return answer.writeHead(200, { "content-type": "image/svg+xml" }).end('<svg xmlns="http://www.w3.org/2000/svg"/>');
    const file = icon ? join(icons, icon[1]) : join(folder, name.replace(/\.\./g, ""));
    if (!existsSync(file)) return answer.writeHead(404).end();
    answer.writeHead(200, { "content-type": icon ? "image/svg+xml" : TYPES[extname(file)] ?? "application/octet-stream" }).end(readFileSync(file));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** Draws every dashboard; keeps a picture of each in `folder`. */
export async function render({ modules, folder, dashboards, prometheus, scrapeSeconds, from, to, chosen, width = 1600, theme = "dark" }) {
  await bundle(modules, folder);
  const puppeteer = createRequire(join(modules, "package.json"))("puppeteer-core");
  const server = await serve(folder, join(modules, "node_modules/@grafana/ui/dist/public/img/icons"));
  const browser = await puppeteer.launch({
    executablePath: BROWSERS.find((path) => path && existsSync(path)), headless: true, timeout: PATIENCE, protocolTimeout: PATIENCE,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars"],
  });
  try {
    const outcomes = [];
    for (const dashboard of dashboards) {
      outcomes.push(await one({ browser, server, folder, dashboard, prometheus, scrapeSeconds, from, to, chosen: chosen[dashboard.uid] ?? {}, width, theme }));
    }
    return outcomes;
  } finally {
    await browser.close();
    server.close();
  }
}

/** Takes pictures until two in a row are the same. */
async function still(page, path) {
  const end = Date.now() + PATIENCE;
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  for (let before; ; await sleep(250)) {
    const picture = Buffer.from(await page.screenshot());
    if (before?.equals(picture)) return writeFileSync(path, picture);
    if (Date.now() > end) throw new Error(`${path} does not come to rest`);
    before = picture;
  }
}

/** What a README can show: the best quality that stays below 200 kB. */
async function small(page, path) {
  for (const quality of [85, 75, 65, 55, 45, 35, 25, 15]) {
    await page.screenshot({ path, type: "webp", quality });
    if (statSync(path).size < 200_000) return;
  }
}

async function one({ browser, server, folder, dashboard, prometheus, scrapeSeconds, from, to, chosen, width, theme }) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
  page.on("response", (answer) => answer.status() === 404 && complaints.push(`not there: ${answer.url()}`));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.setViewport({ width, height: 1000, deviceScaleFactor: 1 });
  page.setDefaultTimeout(PATIENCE);
  await page.goto(`http://127.0.0.1:${server.address().port}/page.html`);
  await page.evaluate((parameters) => window.draw(parameters), { dashboard, prometheus, scrapeSeconds, from, to, chosen, theme });
  await page.waitForFunction(() => window.outcome?.().ready, { polling: 250 }).catch((error) => complaints.push(error.message));
  const marks = await page.evaluate(() => window.mark());
  const height = await page.evaluate(() => document.querySelector(".page").scrollHeight);
  await page.setViewport({ width, height: Math.ceil(height), deviceScaleFactor: 1 });
  const picture = join(folder, `${dashboard.uid}.png`);
  await still(page, picture);
  await small(page, picture.replace(/png$/, "webp"));
  const outcome = await page.evaluate(() => window.outcome());
  await page.close();
  return { dashboard, picture, marks, complaints, ...outcome };
}
