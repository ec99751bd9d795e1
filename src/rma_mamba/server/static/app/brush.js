// Brush, eraser, 3-D brush and lasso: which voxels a stroke covers. Sizes are in mm, so that a circle is a circle on any grid.

import { toVoxel } from "./grid.js";

function ranges(grid, centre, radiusMm, flatAxis) {
  return [0, 1, 2].map((axis) => {
    if (axis === flatAxis) return [centre[axis], centre[axis]];
    const reach = radiusMm / grid.spacing[axis];
    return [Math.max(0, Math.ceil(centre[axis] - reach)), Math.min(grid.dim[axis] - 1, Math.floor(centre[axis] + reach))];
  });
}

/**
 * Call `visit(index)` for each voxel whose centre is within `radiusMm` of `centre` (voxels; may be fractions), and for the one
 * that contains it, so that a brush smaller than a voxel paints that voxel.
 */
export function stamp(grid, centre, radiusMm, flatAxis, visit) {
  const nearest = centre.map(Math.round);
  if (grid.inside(nearest)) visit(grid.index(nearest));
  const [[i0, i1], [j0, j1], [k0, k1]] = ranges(grid, centre, radiusMm, flatAxis);
  const limit = radiusMm * radiusMm + 1e-6;
  for (let k = k0; k <= k1; k += 1) {
    const z = ((k - centre[2]) * grid.spacing[2]) ** 2;
    for (let j = j0; j <= j1; j += 1) {
      const yz = z + ((j - centre[1]) * grid.spacing[1]) ** 2;
      const row = j * grid.strides[1] + k * grid.strides[2];
      for (let i = i0; i <= i1; i += 1) {
        if (yz + ((i - centre[0]) * grid.spacing[0]) ** 2 <= limit) visit(row + i);
      }
    }
  }
}

/** Points from `from` to `to` (voxels) so close together that stamps leave no gap; `to` is the last. */
export function path(grid, from, to, radiusMm) {
  const length = Math.hypot(...[0, 1, 2].map((axis) => (to[axis] - from[axis]) * grid.spacing[axis]));
  const steps = Math.max(1, Math.ceil(length / Math.max(radiusMm / 3, Math.min(...grid.spacing) / 2)));
  return Array.from({ length: steps }, (_, n) => from.map((value, axis) => value + ((to[axis] - value) * (n + 1)) / steps));
}

/** Call `visit(index)` for each voxel of a slice whose centre is inside the polygon `points` ([column, row], voxels). */
export function lasso(grid, view, slice, points, visit) {
  const rows = points.map((point) => point[1]);
  const first = Math.max(0, Math.ceil(Math.min(...rows)));
  const last = Math.min(view.down.size - 1, Math.floor(Math.max(...rows)));
  for (let row = first; row <= last; row += 1) {
    const cuts = crossings(points, row);
    for (let n = 0; n + 1 < cuts.length; n += 2) {
      const to = Math.min(view.across.size - 1, Math.floor(cuts[n + 1]));
      for (let column = Math.max(0, Math.ceil(cuts[n])); column <= to; column += 1) {
        visit(grid.index(toVoxel(view, column, row, slice)));
      }
    }
  }
}

function crossings(points, row) {
  const found = [];
  points.forEach(([x1, y1], n) => {
    const [x2, y2] = points[(n + 1) % points.length];
    if (y1 <= row !== y2 <= row) found.push(x1 + ((row - y1) * (x2 - x1)) / (y2 - y1));
  });
  return found.sort((a, b) => a - b);
}
