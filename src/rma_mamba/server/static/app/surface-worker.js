// A surface around a class, for the 3-D pane: naive surface nets (Gibson 1998) on a coarse, smoothed copy of the mask.

const CELLS = 110; // along the longest side of the box around it
const LEVEL = 0.45; // below one half, so that a mask of one slice, which the filter halves, is shown

function boxOf({ labels, dim, has }) {
  const low = [...dim];
  const high = [-1, -1, -1];
  let index = 0;
  for (let k = 0; k < dim[2]; k += 1) {
    for (let j = 0; j < dim[1]; j += 1) {
      for (let i = 0; i < dim[0]; i += 1, index += 1) {
        if (!has[labels[index]]) continue;
        if (i < low[0]) low[0] = i;
        if (i > high[0]) high[0] = i;
        if (j < low[1]) low[1] = j;
        if (j > high[1]) high[1] = j;
        if (k < low[2]) low[2] = k;
        if (k > high[2]) high[2] = k;
      }
    }
  }
  return high[0] < 0 ? null : { low, high };
}

// Share of the class in blocks of voxels, with an empty rim of two, which closes the surface and gives the filter room.
function coarse({ labels, dim, has, spacing }, { low, high }) {
  const extent = Math.max(...[0, 1, 2].map((axis) => (high[axis] - low[axis] + 1) * spacing[axis]));
  const factor = spacing.map((size) => Math.max(1, Math.round(extent / CELLS / size)));
  const size = [0, 1, 2].map((axis) => Math.ceil((high[axis] - low[axis] + 1) / factor[axis]) + 4);
  const field = new Float32Array(size[0] * size[1] * size[2]);
  const share = 1 / (factor[0] * factor[1] * factor[2]);
  for (let k = low[2]; k <= high[2]; k += 1) {
    for (let j = low[1]; j <= high[1]; j += 1) {
      const row = size[0] * (Math.floor((j - low[1]) / factor[1]) + 2 + size[1] * (Math.floor((k - low[2]) / factor[2]) + 2));
      const start = (k * dim[1] + j) * dim[0];
      for (let i = low[0]; i <= high[0]; i += 1) {
        if (has[labels[start + i]]) field[row + Math.floor((i - low[0]) / factor[0]) + 2] += share;
      }
    }
  }
  return { field, size, factor };
}

function smooth({ field, size }) {
  const strides = [1, size[0], size[0] * size[1]];
  const out = new Float32Array(field.length);
  for (const stride of strides) {
    for (let n = stride; n < field.length - stride; n += 1) out[n] = (field[n - stride] + 2 * field[n] + field[n + stride]) / 4;
    field.set(out);
  }
}

// One vertex in each cell that the surface crosses, at the mean of the crossings of its edges.
function vertices({ field, size }) {
  const [sx, sy, sz] = [1, size[0], size[0] * size[1]];
  const corners = [0, sx, sy, sx + sy, sz, sx + sz, sy + sz, sx + sy + sz];
  const edges = [];
  for (let a = 0; a < 8; a += 1) for (const bit of [1, 2, 4]) if (!(a & bit)) edges.push([a, a | bit]);
  const numbers = new Int32Array(field.length).fill(-1);
  const points = [];
  for (let k = 0; k < size[2] - 1; k += 1) for (let j = 0; j < size[1] - 1; j += 1) for (let i = 0; i < size[0] - 1; i += 1) {
    const cell = i + j * sy + k * sz;
    let pattern = 0;
    for (let n = 0; n < 8; n += 1) if (field[cell + corners[n]] > LEVEL) pattern |= 1 << n;
    if (pattern === 0 || pattern === 255) continue;
    const sum = [0, 0, 0];
    let count = 0;
    for (const [a, b] of edges) {
      if (((pattern >> a) & 1) === ((pattern >> b) & 1)) continue;
      const [from, to] = [field[cell + corners[a]], field[cell + corners[b]]];
      const share = (LEVEL - from) / (to - from);
      for (let axis = 0; axis < 3; axis += 1) {
        const [p, q] = [(a >> axis) & 1, (b >> axis) & 1];
        sum[axis] += p + share * (q - p);
      }
      count += 1;
    }
    numbers[cell] = points.length / 3;
    points.push(i + sum[0] / count, j + sum[1] / count, k + sum[2] / count);
  }
  return { numbers, points };
}

// Two triangles around each edge of the grid that the surface crosses, facing outward.
function triangles({ field, size }, numbers, mirrored) {
  const strides = [1, size[0], size[0] * size[1]];
  const found = [];
  for (let k = 1; k < size[2] - 1; k += 1) for (let j = 1; j < size[1] - 1; j += 1) for (let i = 1; i < size[0] - 1; i += 1) {
    const at = i + j * strides[1] + k * strides[2];
    const inside = field[at] > LEVEL;
    for (let axis = 0; axis < 3; axis += 1) {
      if (inside === field[at + strides[axis]] > LEVEL) continue;
      const [u, v] = [strides[(axis + 1) % 3], strides[(axis + 2) % 3]];
      const quad = [numbers[at - u - v], numbers[at - v], numbers[at], numbers[at - u]];
      const [a, b, c, d] = inside !== mirrored ? quad : [quad[3], quad[2], quad[1], quad[0]];
      found.push(a, b, c, a, c, d);
    }
  }
  return Uint32Array.from(found);
}

function toMm(points, { affine }, { low }, { factor }) {
  const out = new Float32Array(points.length);
  for (let n = 0; n < points.length; n += 3) {
    const voxel = [0, 1, 2].map((axis) => low[axis] + (points[n + axis] - 2) * factor[axis] + (factor[axis] - 1) / 2);
    affine.forEach((row, axis) => {
      out[n + axis] = row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3];
    });
  }
  return out;
}

export function surfaceOf(mask) {
  const box = boxOf(mask);
  if (!box) return null;
  const grid = coarse(mask, box);
  smooth(grid);
  const { numbers, points } = vertices(grid);
  if (points.length === 0) return null;
  return { points: toMm(points, mask, box, grid), triangles: triangles(grid, numbers, mask.mirrored) };
}

self.addEventListener("message", ({ data }) => {
  const surfaces = data.tables.map((has) => surfaceOf({ ...data, has }));
  self.postMessage({ id: data.id, surfaces }, surfaces.flatMap((one) => (one ? [one.points.buffer, one.triangles.buffer] : [])));
});
