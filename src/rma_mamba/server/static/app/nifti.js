// NIfTI-1 and NIfTI-2 single files: the header's grid and values, and masks written back under the very same header.

const TYPES = {
  2: Uint8Array, 4: Int16Array, 8: Int32Array, 16: Float32Array, 64: Float64Array,
  256: Int8Array, 512: Uint16Array, 768: Uint32Array,
};
const UINT8 = 2;
const MM_PER_UNIT = { 1: 1000, 3: 0.001 }; // metres and micrometres; everything else is mm

// NIfTI-1: where each field lies and how it is read; NIfTI-2 has the same fields elsewhere and wider.
const LAYOUTS = {
  348: {
    dim: [40, "Int16", 2], datatype: 70, bitpix: 72, pixdim: [76, "Float32", 4], offset: [108, "Float32"], units: [123, "Uint8"],
    slope: [112, "Float32"], inter: [116, "Float32"], calMax: [124, "Float32"], calMin: [128, "Float32"],
    qform: [252, "Int16"], sform: [254, "Int16"], quatern: [256, "Float32", 4], srow: [280, "Float32", 4],
  },
  540: {
    dim: [16, "BigInt64", 8], datatype: 12, bitpix: 14, pixdim: [104, "Float64", 8], offset: [168, "BigInt64"], units: [500, "Int32"],
    slope: [176, "Float64"], inter: [184, "Float64"], calMax: [192, "Float64"], calMin: [200, "Float64"],
    qform: [344, "Int32"], sform: [348, "Int32"], quatern: [352, "Float64", 8], srow: [400, "Float64", 8],
  },
};

async function piped(bytes, transform) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(transform)).arrayBuffer());
}

export const gzip = (bytes) => piped(bytes, new CompressionStream("gzip"));

/** The bytes without gzip; bytes that are not compressed come back as they are. */
export async function gunzip(bytes) {
  const compressed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return compressed ? piped(bytes, new DecompressionStream("gzip")) : bytes;
}

function layoutOf(view) {
  for (const little of [true, false]) {
    const layout = LAYOUTS[view.getInt32(0, little)];
    if (layout) return { layout, little };
  }
  throw new Error("The file is not NIfTI; expected a NIfTI-1 or NIfTI-2 image. Open the scan again.");
}

function reader(view, layout, little) {
  const at = (offset, kind) => Number(view[`get${kind}`](offset, little));
  return {
    one: (field) => at(...layout[field]),
    many: (field, first, count) => {
      const [start, kind, size] = layout[field];
      return Array.from({ length: count }, (_, n) => at(start + size * (first + n), kind));
    },
  };
}

/** Voxel indices to RAS+ mm as three rows of four: sform, else qform, else the voxel sizes alone, as the server reads it. */
function affineOf(read, spacing, dim) {
  const scale = MM_PER_UNIT[read.one("units") & 7] ?? 1;
  return rowsOf(read, spacing, dim).map((row) => row.map((value) => value * scale));
}

function rowsOf(read, spacing, dim) {
  const rows = [0, 4, 8].map((first) => read.many("srow", first, 4));
  if (read.one("sform") > 0 && rows.some((row) => row.slice(0, 3).some((value) => value !== 0))) return rows;
  if (read.one("qform") > 0) return quaternionAffine(read, spacing);
  const steps = [-spacing[0], spacing[1], spacing[2]]; // no orientation: the first axis runs to the left
  return steps.map((step, n) => [0, 1, 2].map((axis) => (axis === n ? step : 0)).concat((-step * (dim[n] - 1)) / 2));
}

function quaternionAffine(read, spacing) {
  const [x, y, z] = read.many("quatern", 3, 3);
  const vector = read.many("quatern", 0, 3);
  const excess = Math.sqrt(Math.max(1, vector.reduce((sum, each) => sum + each * each, 0)));
  const [b, c, d] = vector.map((each) => each / excess);
  const a = Math.sqrt(Math.max(0, 1 - b * b - c * c - d * d));
  const handed = read.many("pixdim", 0, 1)[0] < 0 ? -1 : 1;
  const rotation = [
    [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
    [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
    [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
  ];
  const sizes = [spacing[0], spacing[1], spacing[2] * handed];
  return rotation.map((row, n) => [...row.map((value, axis) => value * sizes[axis]), [x, y, z][n]]);
}

function swapBytes(bytes, size) {
  for (let start = 0; start + size <= bytes.length; start += size) bytes.subarray(start, start + size).reverse();
}

function valuesOf(bytes, Type, offset, count, little) {
  if (bytes.length < offset + count * Type.BYTES_PER_ELEMENT) {
    throw new Error("The image ends before its last slice. Open the scan again.");
  }
  const copy = bytes.slice(offset, offset + count * Type.BYTES_PER_ELEMENT);
  if (!little) swapBytes(copy, Type.BYTES_PER_ELEMENT);
  return new Type(copy.buffer);
}

/** Bytes of a NIfTI image -> {dim, affine, volumes, values, slope, inter, cal, head}. */
export function parseNifti(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { layout, little } = layoutOf(view);
  const read = reader(view, layout, little);
  const Type = TYPES[view.getInt16(layout.datatype, little)];
  if (!Type) throw new Error("The voxels are no plain numbers; expected a scan or a mask. Open another file.");
  const axes = read.many("dim", 0, 1)[0];
  const dim = read.many("dim", 1, 3).map((size, axis) => (axis < axes ? Math.max(1, size) : 1));
  const offset = read.one("offset");
  const spacing = read.many("pixdim", 1, 3).map((size) => Math.abs(size) || 1);
  const slope = read.one("slope");
  return {
    dim, affine: affineOf(read, spacing, dim), head: bytes.slice(0, offset),
    volumes: read.many("dim", 4, 4).reduce((product, size, axis) => product * (axis + 3 < axes ? Math.max(1, size) : 1), 1),
    values: valuesOf(bytes, Type, offset, dim[0] * dim[1] * dim[2], little),
    slope: Number.isFinite(slope) && slope !== 0 ? slope : 1,
    inter: Number.isFinite(slope) && slope !== 0 ? read.one("inter") || 0 : 0,
    cal: [read.one("calMin"), read.one("calMax")],
  };
}

/** A mask under the header `head` of another image of the same grid: uint8, slope 1. */
export function maskFile(head, labels) {
  const file = new Uint8Array(head.length + labels.length);
  file.set(head);
  const view = new DataView(file.buffer);
  const { layout, little } = layoutOf(view);
  const set = (field, value) => view[`set${layout[field][1]}`](layout[field][0], value, little);
  view.setInt16(layout.datatype, UINT8, little);
  view.setInt16(layout.bitpix, 8, little);
  set("slope", 1);
  set("inter", 0);
  file.set(labels, head.length);
  return file;
}
