// Makes DOM nodes. Texts become text nodes, never HTML.

// el makes an element. Properties are attributes; "on…" ones are listeners, and
// null, undefined and false leave one out. So do they
// among the children.
export function el(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.flat(Infinity).filter((c) => c != null && c !== "" && c !== false));
  return node;
}

// link opens a page elsewhere; an address that is none of the web's is only shown.
export function link(address, ...label) {
  if (!/^(https?|mailto):/i.test(address)) return el("span", {}, ...label);
  return el("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, ...label);
}

// clock is a time of day.
export function clock(date, seconds) {
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined });
}
