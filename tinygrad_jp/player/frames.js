"use strict";
// The player. `data` is PageData.as_dict(): the phrases, and the operations, events and inputs of a backward pass.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
data.names = new Set([...data.operations.map(({ out }) => out), ...data.inputs.map(({ label }) => label)]);
const LANGUAGES = ["en", "ja"];
const BEATS = { forward: [1], seed: [1], backward: [1, 2], accumulate: [3, 4], gap: [1] };
const PAUSE = 1800; // Milliseconds from one frame to the next, at speed 1.

// A frame is what the page shows after one press of a key: an event has one or two. `row` is the number of its event.
const frames = [
  { kind: "overview", row: -1 },
  ...data.events.flatMap((event, row) => BEATS[event.kind].map((beat) => ({ kind: event.kind, event, beat, row }))),
  { kind: "end", row: data.events.length },
];
const state = {
  at: 0,
  lang: data.lang,
  level: data.level, // Which of the pictures is shown: the higher, the more layers are open.
  timer: 0,
  written: 0,
  predicting: false,
  answers: new Map(),
  zoomed: null, // The scale that the user chose; null while the camera chooses.
  view: null,
  stops: {},
  shown: [], // The gradients that stand in the table, by their numbers.
  made: {},
  line: null,
  found: new Map(), // The gradients so far, by their names.
  moving: 0,
  moved: null,
};
