// Connects the page to the sandbox: what happens comes as a stream of events,
// what people do goes out as requests.

import { el } from "./dom.js";
import { Channel } from "./channel.js";
import { Composer } from "./composer.js";
import { ask, modal } from "./dialogs.js";
import * as world from "./world.js";

const problem = document.getElementById("problem");
const told = document.getElementById("told");
const lost = document.getElementById("lost");

let channel;
let names;
const seen = new Set(); // views that were shown, by id

const stream = new EventSource("events");
stream.onopen = () => { lost.hidden = true; };
stream.onerror = () => { lost.hidden = false; }; // the browser tries again by itself
on("hello", hello);
on("message", (m) => channel.tell(m));
on("applications", world.applications);
on("commits", world.commits);
on("view", show);

function on(name, take) {
  stream.addEventListener(name, (e) => take(JSON.parse(e.data)));
}

function hello(all) {
  names = all;
  const me = channel?.me || all.people[0].id;
  channel = new Channel(names, click);
  new Composer(all, (text) => request("say", { user: channel.me, text }, problem));
  world.acts(all.acts, all.apps, (name, app) => request("act", { name, app }, told));
  document.getElementById("channel").textContent = all.channels[all.channel];
  people(all.people, me);
  channel.be(me);
}

function people(all, me) {
  const choice = (p) => el("label", {},
    el("input", { type: "radio", name: "me", value: p.id, checked: p.id === me, onchange: () => channel.be(p.id) }),
    el("span", {}, names.users[p.id], el("small", {}, p.note)));
  const set = document.getElementById("people");
  set.replaceChildren(set.firstElementChild, ...all.map(choice));
}

async function click(message, element, option) {
  const user = channel.me;
  if (!(await ask(element.confirm, { names }))) return;
  await request("click", { user, ts: message.ts, action: element.action_id, value: option?.value }, problem);
}

function show({ id, user, type, view }) {
  if (user !== channel.me || type !== "modal" || seen.has(id)) return;
  seen.add(id);
  modal(view, { names });
}

// request asks the sandbox for something, and says what came of it.
async function request(what, body, place) {
  place.textContent = "";
  try {
    const answer = await fetch(what, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const said = await answer.json();
    place.textContent = said.error ?? said.told ?? "";
  } catch {
    place.textContent = "The sandbox did not answer.";
  }
}
