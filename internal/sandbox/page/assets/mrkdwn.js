// Draws Slack's own markup as nodes.
// See https://docs.slack.dev/messaging/formatting-message-text.

import { el, link, clock } from "./dom.js";

// mrkdwn draws a text: code fences, quotes, and lines.
export function mrkdwn(text, names) {
  return text.split("```").flatMap((part, i) => {
    if (i % 2 === 1) return [el("pre", {}, entities(part.replace(/^\n|\n$/g, ""), names))];
    if (i > 0) part = part.replace(/^\n/, "");
    return lines(part, names);
  });
}

function lines(text, names) {
  const nodes = [];
  let quote = null;
  text.split("\n").forEach((line, i) => {
    if (line.startsWith("&gt;")) {
      if (quote) quote.append(el("br"));
      else nodes.push((quote = el("blockquote")));
      quote.append(...inline(line.slice(4).trimStart(), names));
      return;
    }
    if (i > 0 && !quote) nodes.push(el("br"));
    quote = null;
    nodes.push(...inline(line, names));
  });
  return nodes;
}

// What is marked up within a line, in this order at each place. A mark touches no
// letter outside and no space inside.
const marks = new RegExp([
  "`(?<code>[^`]+)`",
  "<(?<entity>[^<>]+)>",
  ":(?<emoji>[a-z0-9_+'-]+):",
  mark("bold", "\\*"), mark("italic", "_"), mark("strike", "~"),
].join("|"), "gu");

function mark(name, sign) {
  return `(?<![\\p{L}\\p{N}${sign}])${sign}(?<${name}>[^\\s${sign}](?:[^${sign}]*[^\\s${sign}])?)${sign}(?![\\p{L}\\p{N}${sign}])`;
}

function inline(text, names) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(marks)) {
    nodes.push(unescape(text.slice(from, found.index)), drawMark(found, names));
    from = found.index + found[0].length;
  }
  nodes.push(unescape(text.slice(from)));
  return nodes.filter((n) => n !== "");
}

function drawMark(found, names) {
  const g = found.groups;
  if (g.code !== undefined) return el("code", {}, entities(g.code, names));
  if (g.entity !== undefined) return entity(g.entity, names);
  if (g.emoji !== undefined) return emoji(g.emoji, names);
  if (g.bold !== undefined) return el("strong", {}, inline(g.bold, names));
  if (g.italic !== undefined) return el("em", {}, inline(g.italic, names));
  return el("s", {}, inline(g.strike, names));
}

// entities draws what stands in angle brackets and nothing else, as in code.
function entities(text, names) {
  return text.split(/(<[^<>]+>)/).map((part, i) => (i % 2 ? entity(part.slice(1, -1), names) : unescape(part)));
}

// entity draws <@U1>, <#C1>, <!subteam^S1>, <!here>, <!date^…|fallback> and links.
function entity(body, names) {
  const bar = body.indexOf("|");
  const what = bar < 0 ? body : body.slice(0, bar);
  const label = bar < 0 ? "" : unescape(body.slice(bar + 1));
  if (what.startsWith("@")) return mention("@" + (names.users[what.slice(1)] ?? what.slice(1)));
  if (what.startsWith("#")) return mention("#" + (names.channels[what.slice(1)] ?? what.slice(1)));
  if (what.startsWith("!subteam^")) return mention("@" + (names.groups[what.slice(9)] ?? what.slice(9)));
  if (what.startsWith("!date^")) {
    const [, unix, format, address] = what.split("^");
    const drawn = dateNode(Number(unix), format, label);
    return address ? link(address, drawn) : drawn;
  }
  if (what.startsWith("!")) return mention("@" + what.slice(1));
  return link(unescape(what), label || unescape(what));
}

export function mention(name) {
  return el("span", { class: "mention" }, name);
}

// emoji draws a shortcode that is known; others stay as they are typed.
export function emoji(name, names) {
  const drawn = names.emoji[name];
  return drawn ? el("span", { role: "img", "aria-label": name.replaceAll("_", " ") }, drawn) : `:${name}:`;
}

// emojis draws the shortcodes in a plain text.
export function emojis(text, names) {
  return text.split(/:([a-z0-9_+'-]+):/).map((part, i) => (i % 2 ? emoji(part, names) : part));
}

// dateNode draws a time in the zone of whoever reads it.
export function dateNode(unix, format, fallback) {
  if (!Number.isSafeInteger(unix) || !format) return fallback;
  const at = new Date(unix * 1000);
  return el("time", { datetime: at.toISOString(), title: at.toLocaleString() }, date(at, format));
}

function date(at, format) {
  const day = (style) => at.toLocaleDateString([], style);
  const pretty = (style) => near(at) ?? day(style);
  const long = { weekday: "long", year: "numeric", month: "long", day: "numeric" };
  const normal = { year: "numeric", month: "long", day: "numeric" };
  const short = { year: "numeric", month: "short", day: "numeric" };
  const tokens = {
    date_num: () => day({ year: "numeric", month: "2-digit", day: "2-digit" }),
    date: () => day(normal), date_pretty: () => pretty(normal),
    date_short: () => day(short), date_short_pretty: () => pretty(short),
    date_long: () => day(long), date_long_pretty: () => pretty(long),
    time: () => clock(at, false), time_secs: () => clock(at, true),
    ago: () => ago(at),
  };
  return format.replace(/\{(\w+)\}/g, (whole, name) => (tokens[name] ? tokens[name]() : whole));
}

function near(at) {
  const midnight = (d) => new Date(d.getFullYear(), d.getMonth(), d.getDate());
  const days = Math.round((midnight(at) - midnight(new Date())) / 864e5);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

function ago(at) {
  const minutes = Math.floor((Date.now() - at) / 6e4);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / 1440)} days ago`;
}

// unescape undoes the three escapes of message text.
function unescape(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
