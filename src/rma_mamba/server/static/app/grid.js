// The grid of a scan: which voxel axis runs along which direction of the body, and how a slice is laid out on the screen.

const LETTERS = [["R", "L"], ["A", "P"], ["S", "I"]]; // toward the positive and the negative end of x, y, z in RAS+
const WORLD = { axial: [0, 1, 2], coronal: [0, 2, 1], sagittal: [1, 2, 0] }; // across, down, through
const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

export const VIEW_NAMES = ["axial", "coronal", "sagittal"];

/** The grid of an image of `dim` voxels whose `affine` (three rows of four) maps voxel indices to RAS+ mm. */
export function makeGrid(dim, affine) {
  const spacing = [0, 1, 2].map((axis) => Math.hypot(...affine.map((row) => row[axis])) || 1);
  const cosine = (world, axis) => affine[world][axis] / spacing[axis];
  const fit = (order) => order.reduce((sum, axis, world) => sum + Math.abs(cosine(world, axis)), 0);
  const voxelAxis = ORDERS.reduce((best, order) => (fit(order) > fit(best) + 1e-9 ? order : best));
  const strides = [1, dim[0], dim[0] * dim[1]];
  const grid = {
    dim, affine, spacing, strides, count: dim[0] * dim[1] * dim[2],
    voxelVolumeMl: Math.abs(determinant(affine)) / 1000,
    toMm: (voxel) => affine.map((row) => row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3]),
    index: (voxel) => voxel[0] + voxel[1] * strides[1] + voxel[2] * strides[2],
    inside: (voxel) => voxel.every((value, axis) => value >= 0 && value < dim[axis]),
  };
  const screenAxis = (world) => {
    const axis = voxelAxis[world];
    return { axis, size: dim[axis], spacing: spacing[axis], stride: strides[axis], flip: cosine(world, axis) > 0, world };
  };
  grid.views = Object.fromEntries(VIEW_NAMES.map((name) => [name, makeView(name, WORLD[name].map(screenAxis))]));
  return grid;
}

function determinant(m) {
  return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
    + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

// The right and the anterior side of the patient are on the left of the screen, the head is up.
function makeView(name, [across, down, through]) {
  return {
    name, across, down, through,
    letters: {
      left: LETTERS[across.world][0], right: LETTERS[across.world][1],
      top: LETTERS[down.world][0], bottom: LETTERS[down.world][1],
    },
    // One step toward head, front or right is +1 or -1 in the voxel index.
    forward: through.flip ? 1 : -1,
  };
}

/** Column and row on the screen (in voxels, may be fractions) -> voxel indices in the slice `slice` of the view. */
export function toVoxel(view, column, row, slice) {
  const voxel = [0, 0, 0];
  voxel[view.across.axis] = view.across.flip ? view.across.size - 1 - column : column;
  voxel[view.down.axis] = view.down.flip ? view.down.size - 1 - row : row;
  voxel[view.through.axis] = slice;
  return voxel;
}

/** Voxel indices -> [column, row] on the screen. */
export function toScreen(view, voxel) {
  const along = ({ axis, flip, size }) => (flip ? size - 1 - voxel[axis] : voxel[axis]);
  return [along(view.across), along(view.down)];
}

/** Copy the values of a slice, row by row as on the screen, into `out`. */
export function copySlice(view, slice, values, out) {
  const { across, down, through } = view;
  const stepX = across.flip ? -across.stride : across.stride;
  const stepY = down.flip ? -down.stride : down.stride;
  let start = slice * through.stride + (across.flip ? (across.size - 1) * across.stride : 0)
    + (down.flip ? (down.size - 1) * down.stride : 0);
  let position = 0;
  for (let row = 0; row < down.size; row += 1, start += stepY) {
    const end = position + across.size;
    for (let index = start; position < end; position += 1, index += stepX) out[position] = values[index];
  }
}
