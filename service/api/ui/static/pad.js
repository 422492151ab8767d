// A pad to draw on, with what the model reads beside it.

import { h } from "./dom.js";
import { largest, scaledDown } from "./raster.js";
import { nested, rowShape, sideOf } from "./signature.js";

/** Dots of the drawing's side; a multiple of the sides that are drawn. */
const DOTS = 256;
/** Width of a stroke, as a share of the side: that of the data set's digits in their boxes. */
const STROKE = 0.12;
/** How far an arrow key moves the pen. */
const STEP = 8;
const ARROWS = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

/** The editor of an input that is a square image of one channel. */
export function padEditor(spec, changed) {
  const shape = rowShape(spec);
  const side = sideOf(shape);
  const most = largest(spec.example ?? [1]);
  let cells = new Array(side * side).fill(0);

  const canvas = h("canvas", {
    class: "pad",
    width: DOTS,
    height: DOTS,
    tabindex: "0",
    role: "img",
    "aria-label": `Pad to draw ${spec.name} on. Arrow keys move the pen, space puts it down or lifts it, Delete clears.`,
  });
  const seen = h("canvas", {
    class: "seen",
    width: side,
    height: side,
    role: "img",
    "aria-label": `${side} by ${side} pixels, as the model reads them`,
  });
  const hint = h("p", { class: "pad-hint", "aria-hidden": "true" }, "Draw here");
  let stale = false;
  /** Read the drawing, at most once a frame: a finger moves more often. */
  const refresh = () => {
    if (!stale) return;
    stale = false;
    cells = scaledDown(ink(canvas), side, most);
    paint(seen, cells, most);
  };
  const draw = pen(canvas, () => {
    hint.hidden = true;
    if (!stale) requestAnimationFrame(refresh);
    stale = true;
    changed();
  });
  const show = (image) => {
    draw.clear();
    stale = false;
    hint.hidden = false;
    cells = image;
    paint(seen, cells, most);
  };
  const clear = () => {
    show(new Array(side * side).fill(0));
    changed();
  };
  canvas.addEventListener("keydown", (event) => {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      clear();
    }
  });
  return {
    element: h(
      "div",
      { class: "drawing" },
      h("div", { class: "pad-frame" }, canvas, hint),
      h(
        "div",
        { class: "seen-frame" },
        h("p", { class: "hint" }, "The model reads"),
        seen,
        h("button", { type: "button", class: "quiet", click: clear }, "Clear"),
      ),
    ),
    read() {
      refresh();
      return nested(cells, shape);
    },
    write(value) {
      const flat = [value].flat(Infinity).map(Number);
      show(cells.map((_, i) => (Number.isFinite(flat[i]) ? flat[i] : 0)));
    },
  };
}

/** Draw by mouse, finger, pen or keyboard; `drawn` is called after each piece of a stroke. */
function pen(canvas, drawn) {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.lineWidth = STROKE * DOTS;
  context.lineCap = context.lineJoin = "round";
  let at = null;
  let cursor = [DOTS / 2, DOTS / 2];
  let down = false;

  const line = (to) => {
    // The color of the ink is the style sheet's; the drawing itself knows only how much there is.
    context.beginPath();
    context.moveTo(...(at ?? to));
    context.lineTo(...to);
    context.stroke();
    at = to;
    drawn();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = DOTS / box.width;
    return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    at = null;
    line(place(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) line(place(event));
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      down = !down;
      canvas.dataset.pen = down ? "down" : "up";
      at = null;
      if (down) line(cursor);
    } else if (event.key in ARROWS) {
      event.preventDefault();
      const [x, y] = ARROWS[event.key];
      cursor = [bounded(cursor[0] + x), bounded(cursor[1] + y)];
      if (down) line(cursor);
    }
  });
  return { clear: () => context.clearRect(0, 0, DOTS, DOTS) };
}

const bounded = (x) => Math.min(DOTS, Math.max(0, x));

function ink(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, DOTS, DOTS);
  const opacity = new Float32Array(DOTS * DOTS);
  for (let i = 0; i < opacity.length; i++) opacity[i] = data[4 * i + 3] / 255;
  return { side: DOTS, data: opacity };
}

/** Black on nothing; the style sheet inverts it on a dark page. */
function paint(canvas, cells, most) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  cells.forEach((cell, i) => (image.data[4 * i + 3] = Math.round((255 * Math.min(cell, most)) / most)));
  context.putImageData(image, 0, 0);
}
