// Outlines of a mask in a slice: marching squares between voxel centres, as a path in voxels.

// For each pattern of the corners (top left 8, top right 4, bottom right 2, bottom left 1): pairs of edges that are joined.
const T = [0.5, 0], R = [1, 0.5], B = [0.5, 1], L = [0, 0.5];
const SEGMENTS = [
  [], [[L, B]], [[B, R]], [[L, R]], [[T, R]], [[L, T], [B, R]], [[T, B]], [[L, T]],
  [[L, T]], [[T, B]], [[T, R], [L, B]], [[T, R]], [[L, R]], [[B, R]], [[L, B]], [],
];

/** Smallest and largest row and column with a nonzero value; null if there is none. */
function boundsOf(inside, width, height) {
  const used = (row) => inside.subarray(row * width, (row + 1) * width).some((value) => value !== 0);
  let top = 0;
  while (top < height && !used(top)) top += 1;
  if (top === height) return null;
  let bottom = height - 1;
  while (!used(bottom)) bottom -= 1;
  let [left, right] = [width, -1];
  for (let row = top; row <= bottom; row += 1) {
    for (let column = 0; column < left; column += 1) if (inside[row * width + column]) left = column;
    for (let column = width - 1; column > right; column -= 1) if (inside[row * width + column]) right = column;
  }
  return { top, bottom, left, right };
}

/** Uint8 slice of `width` x `height` (nonzero is inside) -> Path2D around voxels whose centres are at n + 0.5. */
export function outline(inside, width, height) {
  const path = new Path2D();
  const bounds = boundsOf(inside, width, height);
  if (!bounds) return path;
  const at = (column, row) => (column < 0 || row < 0 || column >= width || row >= height ? 0 : inside[row * width + column]);
  for (let row = bounds.top - 1; row <= bounds.bottom; row += 1) {
    let left = 0;
    for (let column = bounds.left - 1; column <= bounds.right; column += 1) {
      const top = at(column + 1, row) ? 1 : 0;
      const bottom = at(column + 1, row + 1) ? 1 : 0;
      const pattern = left | (top << 2) | (bottom << 1);
      if (pattern !== 0 && pattern !== 15) addCell(path, pattern, column + 0.5, row + 0.5);
      left = (top << 3) | bottom;
    }
  }
  return path;
}

function addCell(path, pattern, x, y) {
  for (const [from, to] of SEGMENTS[pattern]) {
    path.moveTo(x + from[0], y + from[1]);
    path.lineTo(x + to[0], y + to[1]);
  }
}
