/* What moves on a page: the slider of "what if", whose form has a button without it, and *Now*, which is loaded again by hand without it.
   The markup is the console's own, made of its templates, which escape everything; what comes as a sentence is set as text. */
"use strict";

const SOON = 250; // ms: a slider that is being drawn asks once it rests

function sentencesInto(where, sentences) {
  where.replaceChildren(...sentences.map((sentence) => {
    const line = document.createElement("p");
    line.textContent = sentence;
    return line;
  }));
}

document.querySelectorAll("[data-slider]").forEach((form) => {
  const slider = form.querySelector("input[type=range]"), shown = form.querySelector("output");
  let told = document.querySelector("[data-told]"), waiting = 0, asking = null;
  if (!told) {
    told = document.createElement("div");
    told.setAttribute("role", "status");
    told.setAttribute("aria-live", "polite");
    form.after(told);
  }
  const ask = async () => {
    if (asking) asking.abort();
    asking = new AbortController();
    const url = new URL(form.dataset.slider, location.href);
    url.searchParams.set("threshold", slider.value);
    try {
      const answer = await fetch(url, { signal: asking.signal });
      const found = await answer.json();
      sentencesInto(told, answer.ok ? found.sentences : [found.error || `answered ${answer.status}`]);
    } catch (error) {
      if (error.name !== "AbortError") sentencesInto(told, [`The console does not answer: ${error.message}`]);
    }
  };
  slider.addEventListener("input", () => {
    shown.textContent = `${slider.value} %`;
    clearTimeout(waiting);
    waiting = setTimeout(ask, SOON);
  });
});

/* *Now* as it changes: server-sent events while its box is ticked and the page is looked at. Where the console keeps enough pages up
   to date already, or a proxy lets no events through, the page is asked for anew every few seconds. */
const AGAIN = 10000; // ms

function replaced(markup) {
  const fresh = new DOMParser().parseFromString(markup, "text/html").querySelector("#now"), shown = document.querySelector("#now");
  const kept = shown.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  if (!fresh || shown.matches(":hover:active")) return;
  shown.replaceWith(fresh);
  if (kept) fresh.querySelector(`a[href="${CSS.escape(kept)}"]`)?.focus(); // a keyboard stays where it was
}

function noticed(sentences) {
  let where = document.querySelector(".notices");
  if (!where && sentences.length) {
    where = document.createElement("div");
    where.className = "notices";
    where.setAttribute("role", "status");
    document.querySelector("main").before(where);
  }
  if (where) sentencesInto(where, sentences);
}

document.querySelectorAll("[data-live]").forEach((box) => {
  let events = null, again = 0, silent = 0;
  const loaded = async () => {
    const answer = await fetch(location.href).catch(() => null);
    if (answer && answer.ok && box.checked) replaced(await answer.text());
  };
  const close = () => {
    if (events) events.close();
    events = null;
    clearInterval(again);
    clearTimeout(silent);
  };
  const open = () => {
    close();
    if (!box.checked || document.hidden) return;
    events = new EventSource(box.dataset.live);
    events.addEventListener("open", () => clearTimeout(silent));
    events.addEventListener("now", (event) => {
      const told = JSON.parse(event.data);
      replaced(told.html);
      noticed(told.notices);
    });
    events.addEventListener("error", () => {
      clearTimeout(silent);
      silent = setTimeout(() => noticed(["The console does not answer: what is shown may be old. `driftloop status` says whether it runs."]), AGAIN);
      if (events && events.readyState === EventSource.CLOSED) { // refused; of an end it asks anew by itself
        close(); // and what is shown is asked for as a whole
        again = setInterval(loaded, AGAIN);
      }
    });
  };
  box.addEventListener("change", open);
  document.addEventListener("visibilitychange", open);
  addEventListener("pagehide", close);
  open();
});
