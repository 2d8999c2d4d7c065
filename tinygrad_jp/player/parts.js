// The parts of a page: phrases, numbers, elements, mathematics, heat maps. Text is never markup.

const MATHML = "http://www.w3.org/1998/Math/MathML";

function phrase(key, ...parts) {
  let next = 0;
  return data.phrases[key][LANGUAGES.indexOf(state.lang)].replace(/\{(\d?)\}/g, (_, n) => parts[n || next++]);
}

function text(array) {
  if (array === null) return "–";
  if (typeof array === "string") return array.replace(/^-/, "−").replace(/e-/, "e−");
  if (Array.isArray(array)) return `[${array.map(text).join(", ")}]`;
  return array.text ?? phrase("summary", array.shape, text(array.mean), array.deviation);
}

const arrayAt = (n) => (n === null || n === undefined ? null : data.arrays[n]);
const textAt = (n) => text(arrayAt(n));
const operationOf = (event) => data.operations[event?.operation];
const statement = (operation) => `${operation.out} = ${operation.text}`;

/** The elements of an array with their indices: [["0, 1", "2.5"], ...]; none if it is only summarized. */
function elements(array, path = []) {
  if (typeof array === "string") return [[path.join(", "), array]];
  return Array.isArray(array) ? array.flatMap((e, i) => elements(e, [...path, i])) : [];
}

function element(tag, className, ...children) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  e.append(...children.filter((child) => child !== null && child !== undefined));
  return e;
}

function button(label, action, className = "") {
  const e = Object.assign(element("button", className, label), { type: "button" });
  e.addEventListener("click", action);
  return e;
}

/** The summaries of arrays in a formula, in the language of the page. */
const localized = (s) => (state.lang === "ja" ? s.replace(/(\([\d, ]*\)) of (?=\S+ ± )/g, "$1、平均 ") : s);

/** Trees are [tag, ...children]; a child is a tree, an element, or text. */
function mathElement(tree) {
  if (tree instanceof Node) return tree;
  if (typeof tree === "string") return document.createTextNode(localized(tree));
  if (tree[0] === "mrow" && tree[2]?.[0] === "mtable") return mathElement(tree[2]); // Its brackets are drawn by CSS.
  const e = document.createElementNS(MATHML, tree[0]);
  e.append(...tree.slice(1).map(mathElement));
  if (tree[0] === "mi" && [...(tree[1] ?? "")].length > 1) e.setAttribute("class", "word");
  return e;
}

/** Trees as mathematics. Brackets grow only around what is high: many fonts would let them grow around any name. */
function math(...trees) {
  const e = mathElement(["math", ["mrow", ...trees]]);
  for (const mo of e.querySelectorAll("mo"))
    if ("()[]|".includes(mo.textContent) && !mo.parentElement.querySelector("mtable, mfrac, munder, msup")) mo.setAttribute("stretchy", "false");
  return e;
}
const colored = (name, ...trees) => {
  const e = mathElement(["mrow", ...trees]);
  e.setAttribute("class", name);
  return e;
};
const numberTree = (s) => (s[0] === "-" ? ["mrow", ["mo", "−"], ["mn", s.slice(1).replace("e-", "e−")]] : ["mn", s.replace("e-", "e−")]);

/** An array as mathematics: a number, a row or a matrix; anything else as text. */
function arrayTree(array) {
  if (typeof array === "string") return numberTree(array);
  const rows = typeof array?.[0] === "string" ? [array] : array;
  if (typeof rows?.[0]?.[0] !== "string") return ["mtext", text(array)];
  return ["mtable", ...rows.map((row) => ["mtr", ...row.map((e) => ["mtd", numberTree(e)])])];
}

/** As mathematics; several results as text, whose lines can break. */
function shown(array) {
  const tree = arrayTree(array);
  return tree[0] === "mtext" ? element("span", "text", tree[1]) : math(tree);
}

/** The array with the number n, in the color of a value or a gradient; a large one with its heat map. */
function arrayElement(n, kind, role = "", onPick = null) {
  const array = arrayAt(n);
  const parts = array?.heat ? [heatMap(array, onPick), scale(array), element("span", "", text(array))] : [shown(array)];
  const e = element("span", `array ${kind} ${role} ${array?.heat ? "large" : ""}`, ...parts);
  e.setAttribute("role", "math");
  e.setAttribute("aria-label", text(array));
  if (onPick && !array?.heat) pickable(e, array, onPick);
  return e;
}

/** Let each number of a small matrix be pressed. */
function pickable(e, array, onPick) {
  const width = Array.isArray(array?.[0]) ? array[0].length : array?.length ?? 1;
  [...e.querySelectorAll("mtd")].forEach((cell, i) => {
    cell.setAttribute("tabindex", "0");
    cell.setAttribute("class", "pick");
    const pick = () => onPick(Math.floor(i / width), i % width);
    cell.addEventListener("click", pick);
    cell.addEventListener("keydown", (event) => event.key === "Enter" && pick());
  });
}

function heatMap({ heat, rows }, onPick) {
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [heat[0].length, heat.length];
  const cell = Math.max(4, Math.min(8, Math.floor(72 / Math.max(canvas.width, canvas.height))));
  [canvas.style.width, canvas.style.height] = [`${canvas.width * cell}px`, `${canvas.height * cell}px`];
  const brush = canvas.getContext("2d");
  for (const y of heat.keys())
    for (const x of heat[0].split("").keys()) {
      brush.fillStyle = tint(parseInt(heat[y][x], 19));
      brush.fillRect(x, y, 1, 1);
    }
  if (rows && onPick) {
    canvas.className = "pick";
    const at = (offset, size, n) => Math.min(Math.floor((offset / size) * n), n - 1);
    canvas.addEventListener("click", (e) =>
      onPick(at(e.offsetY, canvas.clientHeight, canvas.height), at(e.offsetX, canvas.clientWidth, canvas.width)));
  }
  return canvas;
}

/** The legend of a heat map: its darkest colors and what they stand for. */
function scale({ most }) {
  const bar = element("span", "bar");
  bar.style.background = `linear-gradient(to right, ${[0, 9, 18].map(tint).join(", ")})`;
  return element("span", "scale", text(`-${most}`), bar, text(most));
}

/** From purple, 0, over white, 9, to green, 18, which color-blind eyes can tell apart. NaN and infinity are black. */
function tint(level) {
  if (Number.isNaN(level)) return "#000";
  const end = level < 9 ? [118, 42, 131] : [27, 120, 55];
  return `rgb(${end.map((c) => Math.round(247 + ((c - 247) * Math.abs(level - 9)) / 9))})`;
}

const row = (...children) => element("div", "row", ...children);
const equals = (tree) => (tree ? math(["mo", "="], tree) : null);

/** What the chain rule is about: ∂y/∂x where y is one number and the pass starts from 1, otherwise ∇x. */
const isWhole = () => typeof arrayAt(data.value) === "string" && arrayAt(data.seed) === "1";
const fraction = (y, x) => ["mfrac", ["mrow", ["mo", "∂"], ["mi", y]], ["mrow", ["mo", "∂"], ["mi", x]]];
const derivative = (x) => (isWhole() ? fraction(data.y, x) : ["mrow", ["mo", "∇"], ["mi", x]]);
const derivativeText = (x) => (isWhole() ? `∂${data.y}/∂${x}` : `∇${x}`);

/** The formula of a rule, with ∂y/∂out in the place of gy. */
function withDerivative(tree, out) {
  if (typeof tree === "string" || data.names.has("gy")) return tree;
  if (tree[0] === "mi" && tree[1] === "gy") return colored("gradient", derivative(out));
  return tree.map((part, i) => (i ? withDerivative(part, out) : part));
}
