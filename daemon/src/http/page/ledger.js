// Shows the accounts since the ledger began and checks that they add up.

import { find, say } from "./dom.js";
import { joules, share } from "./units.js";

const ROWS = ["function", "preparing", "runtime", "host", "base", "gap"];

/** Shows an `accounts` event, or the sums from `GET /energy`. */
export function showAccounts(sums) {
  const total = sums.total_joules;
  // The account `function` includes preparing. Whole microjoules are exact up to nine gigajoules.
  const preparing = Object.values(sums.functions).reduce((sum, { preparing_microjoules: own }) => sum + own, 0);
  const microjoules = (row) => {
    if (row === "preparing") return preparing;
    return sums[`${row}_microjoules`] - (row === "function" ? preparing : 0);
  };
  const cells = (account) => find(`account-${account}`).querySelectorAll("td");
  const spoken = [];
  for (const account of ROWS) {
    const energy = microjoules(account) / 1e6;
    const [amount, part] = cells(account);
    say(amount, joules(energy));
    say(part, share(energy, total));
    find("stack").querySelector(`.${account}`).style.flexGrow = total > 0 ? energy / total : 0;
    spoken.push(`${account === "function" ? "calls" : account} ${share(energy, total)}`);
  }
  say(cells("total")[0], joules(total));
  find("stack").setAttribute("aria-label", spoken.join(", "));
  const sum = ROWS.reduce((sum, row) => sum + microjoules(row), 0);
  const left = sums.total_microjoules - sum;
  const exact = `The accounts add up to the total, to the microjoule: ${sum.toLocaleString("en")} µJ.`;
  say(find("residual"), left === 0 ? exact : `The accounts do not add up: they differ from the total by ${left.toLocaleString("en")} µJ.`);
  find("residual").classList.toggle("error", left !== 0);
}
