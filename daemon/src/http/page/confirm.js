// The confirmation dialog and the token dialog.

import { token } from "./daemon.js";
import { find, say } from "./dom.js";

let answer = null;

/** Asks the user to confirm an action. Resolves to `true` if they do. */
export function confirmed(title, text, action) {
  const dialog = find("confirm");
  say(find("confirm-title"), title);
  say(dialog.querySelector("p"), text);
  say(dialog.querySelector("[value=yes]"), action);
  dialog.returnValue = "no";
  dialog.showModal();
  // The `close` event of the previous question may arrive after this one opens: ignore it.
  dialog.onclose = () => dialog.open || answer(dialog.returnValue === "yes");
  answer?.(false);
  return new Promise((resolve) => (answer = resolve));
}

/** Sets up the token dialog. Calls `changed` when the user sets or forgets the token. */
export function setUpToken(changed) {
  const [button, dialog, field] = [find("token"), find("token-dialog"), find("token-text")];
  const named = () => say(button, token.get() ? "Token: set" : "Token…");
  button.addEventListener("click", () => {
    field.value = "";
    dialog.returnValue = "cancel";
    dialog.showModal();
    field.focus();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    dialog.close("use");
  });
  dialog.addEventListener("close", () => {
    const text = field.value.trim();
    field.value = "";
    if (dialog.returnValue === "forget") token.set(null);
    else if (dialog.returnValue === "use" && text) token.set(text, find("token-remember").checked);
    else return;
    named();
    changed();
  });
  named();
}
