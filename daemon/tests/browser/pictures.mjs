// Takes screenshots of the live page: `node pictures.mjs URL FOLDER`. Run `node load.mjs URL` for a few minutes first and leave
// it running.

import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { open } from "./chromium.mjs";

const [url, folder] = process.argv.slice(2);
const VIEWS = {
  "page-desktop": { width: 1280, height: 1000 },
  "page-dark": { width: 1280, height: 1000, dark: true },
  "page-phone": { width: 390, height: 844 },
};

async function picture(name, view) {
  const page = await open(view);
  await page.goto(url);
  await page.until("functions are listed", "document.querySelector('#table tbody tr')");
  // Wait until ten-second rates are known.
  await new Promise((resume) => setTimeout(resume, 15_000));
  await page.click('#table tr[data-name="sudoku"] button');
  await page.click("#call button");
  await page.until("the call is settled", "document.querySelector('#result dd strong')");
  await page.value("document.activeElement.blur(); document.querySelectorAll('.scroll').forEach((box) => box.scrollTo(0, 0)); scrollTo(0, 0)");
  writeFileSync(join(folder, `${name}.webp`), await page.picture());
  await page.close();
}

await Promise.all(Object.entries(VIEWS).map(([name, view]) => picture(name, view)));
process.exit(0);
