// The header of a mask: the grid of its scan, and none of its text.

const TEXT = { 348: [[4, 36], [148, 252], [328, 344]], 540: [[240, 344], [508, 524]] };

/** The first bytes of a scan's file -> those of a mask: no extensions, no text, a single volume. */
export function maskHeader(head) {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const little = view.getInt32(0, true) in TEXT;
  const size = view.getInt32(0, little);
  const made = new Uint8Array(size + 4);
  made.set(head.subarray(0, size));
  for (const [start, stop] of TEXT[size]) made.fill(0, start, stop);
  const fields = new DataView(made.buffer);
  if (size === 348) {
    fields.setFloat32(108, size + 4, little);
    fields.setInt16(40, 3, little);
  } else {
    fields.setBigInt64(168, BigInt(size + 4), little);
    fields.setBigInt64(16, 3n, little);
  }
  return made;
}
