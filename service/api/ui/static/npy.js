// NumPy's .npy format: its header, and its elements as nested lists.

import { nested } from "./signature.js";

const READERS = {
  f8: (view, at, little) => view.getFloat64(at, little),
  f4: (view, at, little) => view.getFloat32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  i4: (view, at, little) => view.getInt32(at, little),
  i2: (view, at, little) => view.getInt16(at, little),
  i1: (view, at) => view.getInt8(at),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  u4: (view, at, little) => view.getUint32(at, little),
  u2: (view, at, little) => view.getUint16(at, little),
  u1: (view, at) => view.getUint8(at),
  b1: (view, at) => view.getUint8(at) !== 0,
};

/** The rows of an array, axis 0 being the rows. */
export function rowsOfNpy(buffer) {
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  if (buffer.byteLength < 12 || String.fromCharCode(...bytes.slice(1, 6)) !== "NUMPY") {
    throw new Error("it is not an .npy file. Write it with numpy.save(file, array).");
  }
  const long = bytes[6] > 1;
  const start = (long ? 12 : 10) + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder("latin1").decode(bytes.slice(long ? 12 : 10, start));
  const [, order, kind] = /'descr': '([<>|=])(\w+)'/.exec(header) ?? [];
  const read = READERS[kind];
  if (!read) throw new Error("its elements are no numbers; save an array of numbers.");
  if (/'fortran_order': True/.test(header)) throw new Error("its elements are in Fortran order; save numpy.ascontiguousarray(array).");
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(",").map((axis) => axis.trim()).filter(Boolean).map(Number);
  if (shape.length === 0) throw new Error("it holds a single number; save an array of rows.");
  const [step, size] = [Number(kind[1]), shape.reduce((a, b) => a * b, 1)];
  if (start + size * step > buffer.byteLength) throw new Error("it ends before its array does.");
  const flat = Array.from({ length: size }, (_, i) => read(view, start + i * step, order !== ">"));
  return nested(flat, shape);
}
