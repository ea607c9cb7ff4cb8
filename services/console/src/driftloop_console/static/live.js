/* What moves on a page: the slider of "what if". Without it the form has a button. */
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
