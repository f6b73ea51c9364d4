// Draws Block Kit as nodes. A kind that is not known is shown as such.
// See https://docs.slack.dev/reference/block-kit/blocks.

import { el, link } from "./dom.js";
import { mrkdwn, mention, emoji, emojis, dateNode } from "./mrkdwn.js";

// blocks draws a list of blocks. How says whose names there are, and does what
// an element asks for: how.act(element, option), which a modal has not.
export function blocks(list, how) {
  return list.map((block) => (kinds[block.type] ?? unknown)(block, how));
}

// text draws a text object, or an image by what stands for it.
export function text(object, how) {
  if (object.type === "image") return [image(object)];
  return object.type === "mrkdwn" ? mrkdwn(object.text, how.names) : emojis(object.text, how.names);
}

const kinds = {
  header: (b, how) => el("h3", { class: "header" }, text(b.text, how)),
  divider: () => el("hr"),
  section: (b, how) => el("div", { class: "section" },
    el("div", { class: "body" },
      b.text && el("div", {}, text(b.text, how)),
      b.fields && el("div", { class: "fields" }, b.fields.map((f) => el("div", {}, text(f, how))))),
    b.accessory && el("div", { class: "accessory" }, element(b.accessory, how))),
  context: (b, how) => el("div", { class: "context" }, b.elements.map((e) => el("span", {}, text(e, how)))),
  actions: (b, how) => el("div", { class: "actions" }, b.elements.map((e) => element(e, how))),
  rich_text: (b, how) => el("div", { class: "rich" }, richText(b, how)),
  table,
  markdown: (b) => el("pre", { class: "markdown" }, b.text),
  image: (b, how) => el("figure", {}, b.title && el("figcaption", {}, text(b.title, how)), image(b)),
  input: (b, how) => el("label", { class: "input" },
    el("span", {}, text(b.label, how), b.optional ? " (optional)" : ""),
    element(b.element, how), b.hint && el("small", {}, text(b.hint, how))),
};

function unknown(b) {
  return el("p", { class: "unknown" }, `A block of the kind "${b.type}", which this page cannot draw.`);
}

function image(b) {
  return el("img", { src: b.image_url, alt: b.alt_text, loading: "lazy" });
}

// The first row is the heading, as Slack draws it.
function table(b, how) {
  const settings = b.column_settings ?? [];
  const row = (cells, tag) => el("tr", {}, cells.map((cell, i) => el(tag, {
    class: [`align-${settings[i]?.align ?? "left"}`, settings[i]?.is_wrapped ? "wrapped" : ""].join(" ").trim(),
    scope: tag === "th" ? "col" : null,
  }, cell.type === "rich_text" ? richText(cell, how) : cell.text)));
  const [head, ...rest] = b.rows;
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" }, el("table", { class: "table" },
    el("thead", {}, row(head, "th")), el("tbody", {}, rest.map((r) => row(r, "td")))));
}

function richText(b, how) {
  return b.elements.map((part) => {
    switch (part.type) {
      case "rich_text_section": return el("div", {}, pieces(part, how));
      case "rich_text_quote": return el("blockquote", {}, pieces(part, how));
      case "rich_text_preformatted": return el("pre", {}, pieces(part, how));
      case "rich_text_list": return richList(part, how);
    }
    return unknown(part);
  });
}

function richList(part, how) {
  const ordered = part.style === "ordered";
  return el(ordered ? "ol" : "ul", { class: `indent-${part.indent ?? 0}`, start: ordered ? (part.offset ?? 0) + 1 : null },
    part.elements.map((item) => el("li", {}, pieces(item, how))));
}

const pieces = (part, how) => part.elements.map((piece) => styled(piece, inline(piece, how)));

function inline(piece, { names }) {
  switch (piece.type) {
    case "text": return piece.text;
    case "link": return link(piece.url, piece.text ?? piece.url);
    case "emoji": return emoji(piece.name, names);
    case "user": return mention("@" + (names.users[piece.user_id] ?? piece.user_id));
    case "usergroup": return mention("@" + (names.groups[piece.usergroup_id] ?? piece.usergroup_id));
    case "channel": return mention("#" + (names.channels[piece.channel_id] ?? piece.channel_id));
    case "broadcast": return mention("@" + piece.range);
    case "date": return dateNode(piece.timestamp, piece.format, piece.fallback ?? "");
    case "color": return piece.value;
  }
  return el("span", { class: "unknown" }, `[${piece.type}]`);
}

function styled(piece, node) {
  const style = piece.style ?? {};
  for (const [name, tag] of [["code", "code"], ["bold", "strong"], ["italic", "em"], ["strike", "s"], ["underline", "u"], ["highlight", "mark"]]) {
    if (style[name]) node = el(tag, {}, node);
  }
  return node;
}

function element(e, how) {
  switch (e.type) {
    case "button": return button(e, how);
    case "image": return image(e);
    case "plain_text_input": return textInput(e);
    case "static_select": return select(e, how, e.option_groups ?? [{ options: e.options }], e.initial_option?.value);
    case "users_select": return select(e, how, [{ options: people(how) }], e.initial_user);
    case "overflow": return select(e, how, [{ options: e.options }], null, "More");
  }
  return el("span", { class: "unknown" }, `An element of the kind "${e.type}", which this page cannot draw.`);
}

// A link button opens its page; Slack tells the app of it all the same.
function button(e, how) {
  const properties = { class: `button ${e.style ?? ""}`.trim(), "data-action": e.action_id, "aria-label": e.accessibility_label };
  const label = emojis(e.text.text.replace(/ ↗$/, ""), how.names); // the arrow is drawn below
  if (!e.url) return el("button", { ...properties, type: "button", onclick: () => how.act?.(e) }, label);
  const a = link(e.url, label, el("span", { "aria-hidden": "true" }, " ↗"), el("span", { class: "unseen" }, " (another page)"));
  for (const [name, value] of Object.entries(properties)) if (value) a.setAttribute(name, value);
  a.addEventListener("click", () => how.act?.(e));
  return a;
}

// A menu has a button beside it, because keys change a menu step by step. In a
// modal, where how has no act, nothing happens before that is sent.
function select(e, how, groups, initial, face) {
  const option = (o) => el("option", { value: o.value, selected: o.value === initial }, emojis(o.text.text, how.names).map((n) => n.textContent ?? n));
  const label = e.placeholder?.text ?? face ?? "Choose";
  const node = el("select", { class: "select", "data-action": e.action_id, "aria-label": label },
    initial ? null : el("option", { value: "", selected: true }, label),
    groups.map((g) => (g.label ? el("optgroup", { label: g.label.text }, g.options.map(option)) : g.options.map(option))));
  if (!how.act) return node;
  const choose = () => {
    const chosen = groups.flatMap((g) => g.options).find((o) => o.value === node.value);
    if (chosen) how.act(e, chosen);
  };
  return el("span", { class: "menu" }, node, el("button", { type: "button", class: "button", "aria-label": `Choose: ${label}`, onclick: choose }, "Choose"));
}

function people({ names }) {
  return Object.entries(names.users).map(([id, name]) => ({ value: id, text: { text: "@" + name } }));
}

function textInput(e) {
  const node = el(e.multiline ? "textarea" : "input", {
    "data-action": e.action_id, placeholder: e.placeholder?.text, minlength: e.min_length, maxlength: e.max_length,
  });
  node.value = e.initial_value ?? "";
  return node;
}
