// Confirm dialogs and modals.

import { el } from "./dom.js";
import { blocks, text } from "./blocks.js";

const dialog = document.getElementById("dialog");

// ask shows the confirm dialog of an element, if it has one. It tells whether to go on.
export function ask(confirm, how) {
  if (!confirm) return Promise.resolve(true);
  return show(
    el("h2", { id: "dialog-title" }, text(confirm.title, how)),
    el("p", {}, text(confirm.text, how)),
    el("div", { class: "actions" },
      el("button", { value: "", class: "button", type: "submit" }, text(confirm.deny, how)),
      el("button", { value: "yes", class: `button ${confirm.style ?? "primary"}`, type: "submit" }, text(confirm.confirm, how))));
}

// modal shows a view until it is closed. The stand-in for Slack takes no
// submissions, which is said where the view asks for one.
export function modal(view, how) {
  return show(
    el("h2", { id: "dialog-title" }, text(view.title, how)),
    ...blocks(view.blocks, how),
    view.submit && el("p", { class: "unknown" }, "“", text(view.submit, how), "” cannot be pressed in the sandbox."),
    el("div", { class: "actions" },
      el("button", { value: "", class: "button", type: "submit" }, view.close ? text(view.close, how) : "Close")));
}

// show opens the dialog and waits until it is closed: by a button, whose value
// says yes, or by Escape.
function show(...content) {
  const before = document.activeElement;
  dialog.replaceChildren(el("form", { method: "dialog" }, content));
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => {
      if (before?.isConnected) before.focus();
      resolve(dialog.returnValue === "yes");
    };
  });
}
