// The parts of a page: phrases, numbers, elements, mathematics, heat maps. Text is never markup.

const MATHML = "http://www.w3.org/1998/Math/MathML";

function phrase(key, ...parts) {
  let next = 0;
  return data.phrases[key][LANGUAGES.indexOf(state.lang)].replace(/\{(\d?)\}/g, (_, n) => parts[n || next++]);
}

function text(array) {
  if (array === null) return "–";
  if (typeof array === "string") return array.replace(/^-/, "−");
  if (Array.isArray(array)) return `[${array.map(text).join(", ")}]`;
  return array.text ?? phrase("summary", array.shape, text(array.mean), array.deviation);
}

const arrayAt = (n) => (n === null ? null : data.arrays[n]);
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
  e.append(...children.filter((child) => child !== null));
  return e;
}

function mathElement(tree) {
  if (typeof tree === "string") return document.createTextNode(tree);
  if (tree[0] === "mrow" && tree[2]?.[0] === "mtable") return mathElement(tree[2]); // Its brackets are drawn by CSS.
  const e = document.createElementNS(MATHML, tree[0]);
  e.append(...tree.slice(1).map(mathElement));
  return e;
}

const math = (...trees) => mathElement(["math", ["mrow", ...trees]]);
const numberTree = (s) => (s[0] === "-" ? ["mrow", ["mo", "−"], ["mn", s.slice(1)]] : ["mn", s]);

/** An array as mathematics: a number, a row or a matrix; anything else as text. */
function arrayTree(array) {
  if (typeof array === "string") return numberTree(array);
  const rows = typeof array?.[0] === "string" ? [array] : array;
  if (typeof rows?.[0]?.[0] !== "string") return ["mtext", text(array)];
  return ["mtable", ...rows.map((row) => ["mtr", ...row.map((e) => ["mtd", numberTree(e)])])];
}

/** The array with the number n, in the color of a value or a gradient; a large one with its heat map. */
function arrayElement(n, kind, role = "") {
  const array = arrayAt(n);
  const parts = array?.heat ? [heatMap(array.heat), element("span", "", text(array))] : [math(arrayTree(array))];
  const e = element("span", `array ${kind} ${role} ${array?.heat ? "large" : ""}`, ...parts);
  e.setAttribute("role", "math");
  e.setAttribute("aria-label", text(array));
  return e;
}

function heatMap(rows) {
  const canvas = element("canvas");
  [canvas.width, canvas.height] = [rows[0].length, rows.length];
  const cell = rows.length * rows[0].length > 100 ? 5 : 8;
  [canvas.style.width, canvas.style.height] = [`${canvas.width * cell}px`, `${canvas.height * cell}px`];
  const brush = canvas.getContext("2d");
  for (const y of rows.keys())
    for (const x of rows[0].split("").keys()) {
      brush.fillStyle = tint(parseInt(rows[y][x], 19));
      brush.fillRect(x, y, 1, 1);
    }
  return canvas;
}

/** From purple, 0, over white, 9, to green, 18, which color-blind eyes can tell apart. NaN and infinity are black. */
function tint(level) {
  if (Number.isNaN(level)) return "#000";
  const end = level < 9 ? [118, 42, 131] : [27, 120, 55];
  return `rgb(${end.map((c) => Math.round(247 + ((c - 247) * Math.abs(level - 9)) / 9))})`;
}

const row = (...children) => element("div", "row", ...children);
const equals = (tree) => (tree ? math(["mo", "="], tree) : null);
