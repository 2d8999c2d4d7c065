"use strict";
// Pages within pages are loaded where they are seen: a hidden frame has no size to draw in.
const load = (part) => {
  for (const frame of part.querySelectorAll("iframe[data-page]")) {
    frame.srcdoc = frame.dataset.page;
    frame.removeAttribute("data-page");
  }
};
const slides = [...document.querySelectorAll("section")];
let at = 0;
function show(i) {
  at = Math.max(0, Math.min(slides.length - 1, i));
  slides.forEach((slide, k) => { slide.hidden = k !== at; });
  load(slides[at]);
  document.getElementById("at").textContent = `${at + 1} / ${slides.length}`;
  document.getElementById("before").disabled = at === 0;
  document.getElementById("after").disabled = at === slides.length - 1;
  if (location.hash !== `#${at + 1}`) location.replace(`#${at + 1}`);
  scrollTo(0, 0);
}
if (slides.length) {
  const keys = {
    ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1, Home: -1e9, End: 1e9,
  };
  addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " " && event.target.closest("button, a")) return;
    event.preventDefault();
    show(at + keys[event.key]);
  });
  document.getElementById("before").onclick = () => show(at - 1);
  document.getElementById("after").onclick = () => show(at + 1);
  addEventListener("hashchange", () => show(parseInt(location.hash.slice(1)) - 1 || 0));
  show(parseInt(location.hash.slice(1)) - 1 || 0);
} else load(document);
