// Draws the channel: its messages, their threads, and edits where they stand.

import { el, clock } from "./dom.js";
import { mrkdwn, emoji } from "./mrkdwn.js";
import { blocks } from "./blocks.js";

const list = document.getElementById("messages");
const empty = document.getElementById("empty");
const live = document.getElementById("live");

export class Channel {
  // names says who is who; act is called with the message, the element and the
  // option that somebody chose.
  constructor(names, act) {
    this.names = names;
    this.act = act;
    this.me = "";
    this.messages = new Map(); // by ts
    this.nodes = new Map(); // by ts
    list.replaceChildren(empty);
    this.atEnd = true; // the newest message is in sight, and is to stay there
    list.onscroll = () => { this.atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80; };
    new ResizeObserver(() => this.follow()).observe(list);
  }

  follow() {
    if (this.atEnd) list.scrollTop = list.scrollHeight;
  }

  // be shows the channel as that person sees it.
  be(user) {
    this.me = user;
    list.replaceChildren(empty);
    this.nodes.clear();
    for (const m of this.messages.values()) this.draw(m);
    this.atEnd = true;
    this.follow();
  }

  // tell takes a message as it is now. Only what is new is read out.
  tell(message) {
    const before = this.messages.get(message.ts);
    this.messages.set(message.ts, message);
    const drawn = this.draw(message);
    if (drawn && before?.text !== message.text) live.textContent = el("p", {}, mrkdwn(message.text, this.names)).textContent;
    this.follow();
  }

  // draw puts a message up, or draws it anew where it stands. It reports whether
  // there is anything to see.
  draw(m) {
    if (m.for && (m.for !== this.me || m.deleted)) {
      this.nodes.get(m.ts)?.remove();
      this.nodes.delete(m.ts);
      return false;
    }
    empty.remove();
    let node = this.nodes.get(m.ts);
    if (!node) {
      node = el("article", { "data-ts": m.ts, "aria-label": `Message of ${this.names.users[m.user] ?? m.user}` });
      this.nodes.set(m.ts, node);
      this.place(m, node);
    }
    const focused = node.contains(document.activeElement) ? document.activeElement.dataset.action : undefined;
    node.className = ["message", m.for ? "private" : "", m.deleted ? "deleted" : ""].join(" ").trim();
    const thread = node.querySelector(":scope > .thread");
    node.replaceChildren(this.avatar(m), this.body(m), ...(thread ? [thread] : []));
    if (focused) node.querySelector(`[data-action="${CSS.escape(focused)}"]`)?.focus();
    return true;
  }

  // place finds a message's place: at the end, or in the thread of the one that it replies to.
  place(m, node) {
    const parent = m.thread && !m.broadcast ? this.nodes.get(m.thread) : undefined;
    if (!parent) {
      list.append(node);
      return;
    }
    let thread = parent.querySelector(":scope > .thread");
    if (!thread) parent.append((thread = el("details", { class: "thread", open: true }, el("summary"))));
    thread.append(node);
    const count = thread.childElementCount - 1; // less the summary
    thread.querySelector("summary").textContent = count === 1 ? "1 reply" : `${count} replies`;
  }

  avatar(m) {
    const name = this.names.users[m.user] ?? m.user;
    const isBot = m.user === this.names.bot;
    return el("div", { class: isBot ? "avatar bot" : "avatar", "aria-hidden": "true" }, isBot ? "" : name[0].toUpperCase());
  }

  body(m) {
    const at = new Date(Number(m.ts) * 1000);
    return el("div", { class: "content" },
      m.for && el("p", { class: "eye" }, "Only visible to you"),
      el("p", { class: "by" },
        el("strong", {}, this.names.users[m.user] ?? m.user),
        m.user === this.names.bot && el("span", { class: "app" }, "APP"),
        el("time", { datetime: at.toISOString(), title: at.toLocaleString() }, clock(at, false)),
        m.broadcast && el("span", { class: "note" }, "replied to a thread")),
      m.deleted ? el("p", { class: "gone" }, "This message was deleted.") : this.says(m),
      m.reactions && !m.deleted && el("p", { class: "reactions" },
        m.reactions.map((name) => el("span", {}, emoji(name, this.names), " 1"))));
  }

  says(m) {
    const how = { names: this.names, act: (element, option) => this.act(m, element, option) };
    const drawn = m.blocks?.length ? blocks(m.blocks, how) : [el("div", {}, mrkdwn(m.text, this.names))];
    return [...drawn, m.edited && el("small", { class: "note" }, "(edited)")];
  }
}
