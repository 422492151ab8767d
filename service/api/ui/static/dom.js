// Elements without markup in strings, so that no text of a model is ever read as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; attributes that are functions listen, those that are null are left out. */
export function h(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function s(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

/** Show what a condition asks for; `hidden` also takes it from screen readers. */
export function show(element, visible) {
  element.hidden = !visible;
}

let last = 0;
/** An id that no other element has, for labels and descriptions. */
export const newId = (stem) => `${stem}-${++last}`;

/** Set a number that the style sheet draws with. */
export function vary(element, name, value) {
  element.style.setProperty(name, value);
  return element;
}
