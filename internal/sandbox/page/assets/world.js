// Draws what people in Slack cannot see: Git, Argo CD, and what one can do to them.

import { el } from "./dom.js";

const rows = document.getElementById("apps");
const down = document.getElementById("down");
const log = document.getElementById("commits");
const app = document.getElementById("app");
const buttons = document.getElementById("acts");

// acts puts up the buttons. Press is called with an act's name and the app.
export function acts(all, apps, press) {
  app.replaceChildren(...apps.map((name) => el("option", { value: name }, name)));
  buttons.replaceChildren(...all.map((a) => el("div", { class: "act" },
    el("button", {
      type: "button", class: "button", "data-act": a.name, "aria-describedby": `act-${a.name}`,
      onclick: () => press(a.name, a.app ? app.value : ""),
    }, a.label),
    el("p", { id: `act-${a.name}` }, a.says))));
}

// applications draws the state of each app in each environment.
export function applications(all) {
  down.hidden = !all.down;
  rows.replaceChildren(...all.apps.flatMap((a) => [
    el("tr", { "data-app": `${a.name}-dev` }, el("th", { scope: "rowgroup", rowspan: "2" }, a.name), cells("dev", a.dev)),
    el("tr", { "data-app": `${a.name}-prod` }, cells("prod", a.prod)),
  ]));
}

function cells(environment, s) {
  const looks = { Healthy: "good", Degraded: "bad", Progressing: "moving", Suspended: "moving" };
  return [
    el("td", {}, environment),
    el("td", {}, el("code", {}, s.tag)),
    el("td", {}, `${s.ready}/${s.replicas}`),
    el("td", {},
      el("span", { class: `state ${looks[s.health] ?? ""}`.trim() }, s.health || "unknown"), " ",
      s.sync !== "Synced" && el("span", { class: "state moving" }, s.sync || "unknown"), " ",
      s.operating && el("span", { class: "state moving" }, "syncing"), " ",
      s.hot && el("span", { class: "state hot" }, "hot")),
  ];
}

// commits draws the log, newest first.
export function commits(all) {
  log.replaceChildren(...all.map((c) => {
    const at = new Date(c.at * 1000);
    return el("li", {},
      el("p", { class: "subject" }, el("code", {}, c.hash.slice(0, 7)), " ", c.subject),
      el("p", { class: "note" }, c.author, " · ", el("time", { datetime: at.toISOString() }, at.toLocaleTimeString())),
      c.changes.length > 0 && el("div", { class: "diff" }, diff(c)));
  }));
}

function diff(c) {
  let file = "";
  const lines = c.changes.flatMap((change) => {
    const line = el("div", { class: change.sign === "+" ? "added" : "removed" }, change.sign + change.line);
    if (change.file === file) return [line];
    file = change.file;
    return [el("div", { class: "file" }, file), line];
  });
  return [...lines, c.more > 0 && el("div", { class: "file" }, `and ${c.more} more lines`)];
}
