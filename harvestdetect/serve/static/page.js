// Small comforts for the pages of harvestdetect serve. Everything works without them.
"use strict";

const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];

// Filters apply as soon as they change.
for (const form of all("form[data-submits]")) {
  form.addEventListener("change", () => form.requestSubmit());
}

// ---------------------------------------------------------------- keys

const switched = one("#single-keys");
const STORED = "harvestdetect-single-keys";
switched.checked = localStorage.getItem(STORED) !== "off";
switched.addEventListener("change", () => localStorage.setItem(STORED, switched.checked ? "on" : "off"));

function row(step) {
  const links = all("tr[data-row]").map((line) => line.querySelector("a")).filter(Boolean);
  const now = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  const next = now < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(now + step, 0), links.length - 1);
  links[next]?.focus();
}

function choose(value) {
  const found = one(`.judge input[value="${value}"]`);
  if (found) {
    found.checked = true;
    found.focus();
  }
}

const KEYS = {
  j: () => row(1),
  k: () => row(-1),
  n: () => one("a[rel=next]")?.click(),
  p: () => one("a[rel=prev]")?.click(),
  u: () => one("a[rel=up]")?.click(),
  "/": () => { one("#find").focus(); one("#find").select(); },
  v: () => one(".judge input[type=radio]")?.focus(),
  h: () => choose("harvest"),
  b: () => choose("benign"),
  s: () => choose("unsure"),
  "?": () => {
    const list = one(".keys");
    list.open = !list.open;
    if (list.open) list.querySelector("summary").focus();
  },
};

document.addEventListener("keydown", (event) => {
  const at = event.target;
  const typing = at.matches("textarea, select, input:not([type=radio], [type=checkbox])");
  if (event.key === "Escape" && typing) at.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !switched.checked) return;
  const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (act) {
    event.preventDefault();
    act();
  }
});

// ---------------------------------------------------------------- news

// Asks now and then whether something changed; the page itself is never replaced under its reader.
const EVERY = 20000;
const stale = one("#stale");
async function look() {
  if (document.hidden || !stale.hidden) return;
  try {
    const answer = await fetch("/status", { cache: "no-store" });
    if (answer.ok && (await answer.json()).stamp !== document.body.dataset.stamp) stale.hidden = false;
  } catch { /* the server ended; the next click says so */ }
}
setInterval(look, EVERY);
document.addEventListener("visibilitychange", look);
