// Compares the JavaScript of the web page with the table of test vectors: node check_web_vectors.mjs PAGE TABLE
import { deepStrictEqual, ok } from "node:assert";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [page, table] = process.argv.slice(2);
const load = (name) => import(pathToFileURL(`${page}/${name}`));
const { applyScale, calibrate, compactValues } = await load("grey-scale.js");
const { canonicalOrder, layoutOf, resampler, spacingOf } = await load("slicing.js");
const { removeDarkEnds } = await load("dark-slices.js");
const { removeImplausible } = await load("implausible-hu.js");
const { inputOf, planBatches, prepare, removeIslands } = await load("segmenting.js");
const vectors = JSON.parse(readFileSync(table, "utf8"));
const TYPES = { uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, float32: Float32Array };
let compared = 0;

function near(found, expected, tolerance, what) {
  deepStrictEqual(found.length, expected.length, what);
  for (let n = 0; n < found.length; n += 1) {
    ok(Math.abs(found[n] - expected[n]) <= tolerance, `${what}: ${found[n]} instead of ${expected[n]} at ${n}`);
  }
  compared += found.length;
}

for (const { affine, permutation, flips, spacing_mm: spacing } of vectors.orders) {
  deepStrictEqual(canonicalOrder(affine), { permutation, flips });
  near(spacingOf(affine), spacing, 1e-12, "spacing");
}
for (const { arguments: given, index, weight } of vectors.resamplers) {
  const taps = resampler(...given);
  near(taps.flatMap((tap) => [...tap.index]), index.flat(), 0, "index");
  near(taps.flatMap((tap) => [...tap.weight]), weight.flat(), 1e-7, "weight");
}
for (const { stored, dtype, slope, inter, values, type } of vectors.compact) {
  const found = compactValues(TYPES[dtype].from(stored.map((text) => (text === "inf" ? Infinity : Number(text)))), slope, inter);
  ok(found instanceof TYPES[type], `${found.constructor.name} instead of ${type}`);
  near([...found], values, 1e-6, "stored values");
}
for (const scan of vectors.scans) {
  const recipe = vectors.recipes[scan.recipe];
  const values = TYPES[scan.type].from(scan.values);
  const found = prepare({ dim: scan.dim, affine: scan.affine, values, slope: 1, inter: 0 }, recipe);
  deepStrictEqual([found.scan.modality, found.scan.unit, found.step], [scan.modality, scan.unit, scan.step]);
  near([found.scale.low, found.scale.high, found.scale.headroom], scan.scale, 1e-4, "scale");
  deepStrictEqual(found.plans.map((plan) => plan.canvas), scan.canvas);
  deepStrictEqual(found.plans.map((plan) => plan.field), scan.field);
  const [rows, columns] = vectors.part;
  found.plans.forEach((plan, number) => {
    const { data, dims } = inputOf(found, plan, scan.slices, recipe);
    const part = [];
    for (let image = 0; image < dims[0] * dims[1]; image += 1) {
      for (let row = rows[0]; row < rows[1]; row += 1) {
        for (let column = columns[0]; column < columns[1]; column += 1) part.push(data[(image * dims[2] + row) * dims[3] + column]);
      }
    }
    near(part, scan.images[number].flat(3), 2e-6, "network input");
  });
}
for (const { arguments: given, batches } of vectors.batches) {
  deepStrictEqual(planBatches(...given).map(({ seen, first, size }) => [seen, first, size]), batches);
}
for (const { dim, spacing_mm: spacing, labels, kept } of vectors.islands) {
  const found = Uint8Array.from(labels);
  removeIslands(found, dim, spacing, 0.1, 20);
  near(found, kept, 0, "islands");
}
for (const { dim, affine, values, labels, kept } of vectors.implausible) {
  const found = Uint8Array.from(labels);
  const order = canonicalOrder(affine);
  const spacing = order.permutation.map((axis) => spacingOf(affine)[axis]);
  removeImplausible(found, Int16Array.from(values), layoutOf(dim, order), spacing);
  near(found, kept, 0, "implausible CT numbers");
}
for (const { dim, affine, values, labels, kept } of vectors.dark_ends) {
  const found = Uint8Array.from(labels);
  removeDarkEnds(found, Int16Array.from(values), layoutOf(dim, canonicalOrder(affine)));
  near(found, kept, 0, "slices of lung");
}
ok(applyScale([1, 2], { low: 0, high: 4, headroom: 0 })[1] === 0.5 && calibrate(new Int16Array([0])).unit === "a.u.");
console.log(`${compared} numbers agree`);
