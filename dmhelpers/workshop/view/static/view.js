// Asks every two seconds for the grid, and changes in the page only what changed: focus and scrolling stay.
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
  const fresh = new DOMParser().parseFromString(text, "text/html").body;
  const next = main.cloneNode(false);
  next.append(...inLocalTime(fresh).childNodes);
  if (sameShape(main, next)) update(main, next);
  else main.replaceChildren(...next.childNodes);
}

async function refresh() {
  try {
    // The hub takes no request of a script without this, were it only to read.
    const headers = { "X-XSRFToken": document.querySelector("input[name=_xsrf]").value };
    const signal = AbortSignal.timeout(LIMIT_MS);
    const answer = await fetch(main.dataset.source, { cache: "no-cache", headers, signal });
    if (answer.status === 403) {
      say("You are signed out: load this page again.", true);
      return;
    }
    if (!answer.ok) throw new Error(String(answer.status));
    show(await answer.text());
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
