// Asks every two seconds for what changed in the grid, and changes only that in the page: focus and scrolling stay.
"use strict";

const PERIOD_MS = 2000;
const LIMIT_MS = 5000;
const main = document.getElementById("grid");
const live = document.getElementById("live");
let lastAnswer = new Date();

function sameShape(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName
    && old.childNodes.length === fresh.childNodes.length;
}

function update(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (!sameShape(old, fresh)) {
    old.replaceWith(document.importNode(fresh, true));
    return;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    old.data = fresh.data;
    return;
  }
  for (const one of [...old.attributes]) if (!fresh.hasAttribute(one.name)) old.removeAttribute(one.name);
  for (const one of fresh.attributes) old.setAttribute(one.name, one.value);
  [...old.childNodes].forEach((child, at) => update(child, fresh.childNodes[at]));
}

function clock(when) {
  return when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function inLocalTime(root) {
  for (const one of root.querySelectorAll("time")) one.textContent = clock(new Date(one.dateTime));
  return root;
}

function say(text, old) {
  if (live.textContent !== text) live.textContent = text;
  live.classList.toggle("old", old);
}

function show(text) {
  const fresh = inLocalTime(new DOMParser().parseFromString(text, "text/html").body);
  if (fresh.querySelector("table[data-part]")) {
    showChanges(fresh);
    return;
  }
  const next = main.cloneNode(false);
  next.append(...fresh.childNodes);
  if (sameShape(main, next)) update(main, next);
  else main.replaceChildren(...next.childNodes);
}

// The answer has the rows that changed, and those that are new, which stand last: a number is never given twice.
function showChanges(fresh) {
  const table = main.querySelector("table");
  const made = fresh.querySelector("table");
  for (const row of made.tBodies[0].rows) {
    const old = table.querySelector(`tr[data-learner="${row.dataset.learner}"]`);
    if (old) update(old, row);
    else table.tBodies[0].append(document.importNode(row, true), "\n");
  }
  update(main.querySelector(".help"), fresh.querySelector(".help"));
  update(table.tFoot, made.tFoot);
  table.dataset.version = made.dataset.version;
}

function source() {
  const address = new URL(main.dataset.source, document.baseURI);
  const version = main.querySelector("table")?.dataset.version;
  if (version) address.searchParams.set("since", version);
  return address;
}

async function refresh() {
  try {
    // The hub takes no request of a script without this, were it only to read.
    const headers = { "X-XSRFToken": document.querySelector("input[name=_xsrf]").value };
    const signal = AbortSignal.timeout(LIMIT_MS);
    const answer = await fetch(source(), { cache: "no-store", headers, signal });
    if (answer.status === 403) {
      say("You are signed out: load this page again.", true);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    if (answer.status !== 204) show(await answer.text());
    lastAnswer = new Date();
    say("Live: refreshed every 2 seconds.", false);
  } catch {
    say(`No answer since ${clock(lastAnswer)}: what you see is as old as that.`, true);
  }
}

function start() {
  const button = document.getElementById("print");
  button.hidden = false;
  button.addEventListener("click", () => window.print());
  window.addEventListener("beforeprint", () => {
    document.getElementById("printed").textContent = `As of ${lastAnswer.toLocaleString()}`;
  });
  inLocalTime(main);
  const round = () => refresh().finally(() => setTimeout(round, PERIOD_MS));
  round();
}

start();
