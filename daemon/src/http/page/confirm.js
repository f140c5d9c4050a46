// Questions before what cannot be taken back, and the token.

import { token } from "./daemon.js";
import { find, say } from "./dom.js";

let answer = null;

/** Whether the answer is yes. */
export function confirmed(title, text, action) {
  const dialog = find("confirm");
  say(find("confirm-title"), title);
  say(dialog.querySelector("p"), text);
  say(dialog.querySelector("[value=yes]"), action);
  dialog.returnValue = "no";
  dialog.showModal();
  // The event of an earlier closing may arrive only now, when the dialog is open again: it answers nothing.
  dialog.onclose = () => dialog.open || answer(dialog.returnValue === "yes");
  answer?.(false);
  return new Promise((resolve) => (answer = resolve));
}

/** Lets people give a token; `changed` is called when they did. */
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
