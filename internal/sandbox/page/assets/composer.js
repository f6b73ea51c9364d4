// The message box: it completes slash commands, as a combobox with a list
// (https://www.w3.org/WAI/ARIA/apg/patterns/combobox/).

import { el } from "./dom.js";

const typed = document.getElementById("typed");
const list = document.getElementById("suggestions");
const form = document.getElementById("composer");

export class Composer {
  // send is called with what was typed.
  constructor({ commands, apps }, send) {
    this.commands = commands;
    this.apps = apps;
    this.send = send;
    this.offers = [];
    this.chosen = -1;
    this.past = []; // what was sent, oldest first
    this.back = 0; // how far back the arrow has gone
    typed.oninput = () => this.offer();
    typed.onkeydown = (e) => this.key(e);
    typed.onblur = () => this.close();
    form.onsubmit = (e) => {
      e.preventDefault();
      this.submit();
    };
  }

  submit() {
    const text = typed.value.trim();
    if (!text) return;
    this.past.push(text);
    this.back = 0;
    typed.value = "";
    this.close();
    this.send(text);
  }

  key(e) {
    const open = !list.hidden;
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      const step = e.key === "ArrowDown" ? 1 : -1;
      if (open) this.choose((this.chosen + step + this.offers.length) % this.offers.length);
      else this.recall(-step);
    } else if (e.key === "Escape" && open) this.close();
    else if (e.key === "Tab" && open && !e.shiftKey) this.take(Math.max(this.chosen, 0));
    else if (e.key === "Enter" && open && this.chosen >= 0 && this.offers[this.chosen].adds) this.take(this.chosen);
    else return;
    e.preventDefault();
  }

  // recall brings back what was sent before.
  recall(step) {
    this.back = Math.min(Math.max(this.back + step, 0), this.past.length);
    typed.value = this.back ? this.past[this.past.length - this.back] : "";
  }

  // offer shows what the last word can become. The first one is chosen already
  // where there is something of it to see.
  offer() {
    this.offers = this.find(typed.value);
    list.replaceChildren(...this.offers.map((o, i) => el("li", {
      id: `offer-${i}`, role: "option", "aria-selected": "false",
      onmousedown: (e) => { e.preventDefault(); this.take(i); },
    }, el("b", {}, o.word), " ", el("span", {}, o.says))));
    list.hidden = this.offers.length === 0;
    typed.setAttribute("aria-expanded", String(!list.hidden));
    this.choose(list.hidden || /\s$/.test(typed.value) ? -1 : 0);
  }

  find(text) {
    if (!text.startsWith("/")) return [];
    const words = text.split(/\s+/);
    const last = words.at(-1);
    const fits = (word) => word.startsWith(last);
    const offered = (word, says, adds) => ({ word, says, adds: adds || word !== last });
    if (words.length === 1) {
      return this.commands.filter((c) => fits(c.command))
        .map((c) => offered(c.command, `${c.usage_hint ?? ""}: ${c.description}`.replace(/^: /, ""), true));
    }
    const usage = this.commands.find((c) => c.command === words[0])?.usage_hint;
    if (!usage) return [];
    return this.fillings(usage, words.length - 2).filter((f) => fits(f.word) && !words.slice(1, -1).includes(f.word))
      .map((f) => offered(f.word, f.says));
  }

  // fillings are what can stand at a place of a usage such as "<app> [--force]".
  fillings(usage, place) {
    const parts = usage.replace(/[[\]<>]/g, "").split(/\s+/);
    const here = parts[place] ?? "";
    const words = here.startsWith("--") ? [] : here === "app" ? this.apps : here.includes("|") ? here.split("|") : [];
    const flags = place > 0 ? parts.filter((p) => p.startsWith("--")) : [];
    return [...words, ...flags].map((word) => ({ word, says: "" }));
  }

  choose(i) {
    this.chosen = i;
    [...list.children].forEach((o, n) => o.setAttribute("aria-selected", String(n === i)));
    if (i >= 0) typed.setAttribute("aria-activedescendant", `offer-${i}`);
    else typed.removeAttribute("aria-activedescendant");
    list.children[i]?.scrollIntoView({ block: "nearest" });
  }

  // take puts an offer in place of the last word.
  take(i) {
    typed.value = typed.value.replace(/\S*$/, this.offers[i].word + " ");
    this.offer();
  }

  close() {
    list.hidden = true;
    typed.setAttribute("aria-expanded", "false");
    this.choose(-1);
  }
}
