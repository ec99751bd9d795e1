"use strict";
// An interactive surface, drawn pixel by pixel: needs neither a library nor a graphics card.

// Base64 of little-endian numbers to a typed array.
function decode(text, Numbers) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  return new Numbers(bytes.buffer);
}

// One normal per point: the sum of the normals of its triangles, weighted by area.
function pointNormals(points, triangles) {
  const normals = new Float32Array(points.length);
  for (let t = 0; t < triangles.length; t += 3) {
    const [a, b, c] = [3 * triangles[t], 3 * triangles[t + 1], 3 * triangles[t + 2]];
    const u = [0, 1, 2].map((k) => points[b + k] - points[a + k]);
    const v = [0, 1, 2].map((k) => points[c + k] - points[a + k]);
    const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
    for (const corner of [a, b, c]) for (let k = 0; k < 3; k++) normals[corner + k] += n[k];
  }
  return normals;
}

// Anterior view: x to the patient's left, y inferior, depth posterior; rotated by two angles.
function rotated(vectors, yaw, pitch) {
  const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
  const out = new Float32Array(vectors.length);
  for (let i = 0; i < vectors.length; i += 3) {
    const [left, posterior, superior] = [vectors[i], vectors[i + 1], vectors[i + 2]];
    const x = cy * left + sy * posterior, d = -sy * left + cy * posterior;
    out[i] = x;
    out[i + 1] = -(cp * superior + sp * d);
    out[i + 2] = cp * d - sp * superior;
  }
  return out;
}

// RGBA pixels of the mesh, width by height, with a depth buffer.
function render(mesh, yaw, pitch, width, height) {
  const pixels = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < pixels.length; i += 4) pixels.set([16, 17, 20, 255], i);
  const depth = new Float32Array(width * height).fill(Infinity);
  const p = rotated(mesh.points, yaw, pitch), n = rotated(mesh.normals, yaw, pitch);
  const scale = 0.46 * Math.min(width, height) / mesh.radius;
  const shade = new Float32Array(p.length / 3);
  for (let i = 0; i < p.length; i += 3) {
    p[i] = width / 2 + scale * p[i];
    p[i + 1] = height / 2 + scale * p[i + 1];
    const length = Math.hypot(n[i], n[i + 1], n[i + 2]) || 1;
    const light = (-0.35 * n[i] - 0.45 * n[i + 1] - 0.82 * n[i + 2]) / length;
    shade[i / 3] = 0.25 + 0.75 * Math.max(0, light);
  }
  for (let t = 0; t < mesh.triangles.length; t += 3) {
    const corners = [mesh.triangles[t], mesh.triangles[t + 1], mesh.triangles[t + 2]];
    fill(p, shade, corners, mesh.colour, pixels, depth, width, height);
  }
  return pixels;
}

// One triangle; depth and brightness are interpolated linearly.
function fill(p, shade, [a, b, c], colour, pixels, depth, width, height) {
  const [ax, ay, az] = p.subarray(3 * a, 3 * a + 3), [bx, by, bz] = p.subarray(3 * b, 3 * b + 3);
  const [cx, cy, cz] = p.subarray(3 * c, 3 * c + 3);
  const area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax);
  if (area === 0) return;
  const x0 = Math.max(0, Math.ceil(Math.min(ax, bx, cx))), x1 = Math.min(width - 1, Math.floor(Math.max(ax, bx, cx)));
  const y0 = Math.max(0, Math.ceil(Math.min(ay, by, cy))), y1 = Math.min(height - 1, Math.floor(Math.max(ay, by, cy)));
  for (let y = y0; y <= y1; y++) {
    for (let x = x0; x <= x1; x++) {
      const wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area;
      const wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area;
      const wa = 1 - wb - wc;
      if (wa < 0 || wb < 0 || wc < 0) continue;
      const at = y * width + x, z = wa * az + wb * bz + wc * cz;
      if (z >= depth[at]) continue;
      depth[at] = z;
      const light = wa * shade[a] + wb * shade[b] + wc * shade[c];
      for (let k = 0; k < 3; k++) pixels[4 * at + k] = colour[k] * light;
    }
  }
}

// The colour is text: "221, 130, 101".
function makeMesh(pointsText, trianglesText, colourText) {
  const points = Float32Array.from(decode(pointsText, Int16Array), (tenths) => tenths / 10);
  const triangles = decode(trianglesText, Uint32Array);
  let radius = 1;
  for (let i = 0; i < points.length; i += 3) {
    radius = Math.max(radius, Math.hypot(points[i], points[i + 1], points[i + 2]));
  }
  return { points, triangles, normals: pointNormals(points, triangles), radius, colour: colourText.split(",").map(Number) };
}

// The direction letters at their positions in the rotated view, without those that point towards or away from the viewer.
function sides(yaw, pitch, width, height) {
  const names = ["L", "R", "P", "A", "S", "I"];
  const p = rotated([1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1], yaw, pitch);
  const found = names.map((name, k) => {
    const [x, y] = p.subarray(3 * k, 3 * k + 2);
    return { name, x: width / 2 * (1 + 0.94 * x), y: height / 2 * (1 + 0.94 * y), across: Math.hypot(x, y) };
  });
  return found.filter((side) => side.across > 0.4);
}

function writeSides(context, yaw, pitch, width, height) {
  context.fillStyle = "#ececee";
  context.font = "14px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const side of sides(yaw, pitch, width, height)) context.fillText(side.name, side.x, side.y);
}

function show(canvas, mesh) {
  const context = canvas.getContext("2d");
  let yaw = 0, pitch = 0, waiting = false, from = null;
  const draw = () => {
    waiting = false;
    const pixels = render(mesh, yaw, pitch, canvas.width, canvas.height);
    context.putImageData(new ImageData(pixels, canvas.width, canvas.height), 0, 0);
    writeSides(context, yaw, pitch, canvas.width, canvas.height);
  };
  const turn = (x, y) => {
    yaw += x;
    pitch = Math.max(-1.57, Math.min(1.57, pitch + y));
    if (!waiting) {
      waiting = true;
      requestAnimationFrame(draw);
    }
  };
  canvas.addEventListener("pointerdown", (event) => {
    from = [event.clientX, event.clientY];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    turn((event.clientX - from[0]) / 120, (event.clientY - from[1]) / 120);
    from = [event.clientX, event.clientY];
  });
  canvas.addEventListener("pointerup", () => { from = null; });
  canvas.addEventListener("dblclick", () => { yaw = pitch = 0; draw(); });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(...step);
  });
  draw();
}

// Slices fill the screen without a script; the escape key closes them as well.
function closeSlices(event) {
  if (event.key !== "Escape") return;
  for (const box of document.querySelectorAll(".slice input:checked")) box.checked = false;
}

if (typeof document !== "undefined") {
  document.addEventListener("keydown", closeSlices);
  const text = (id) => document.getElementById(id).textContent;
  show(document.getElementById("surface"), makeMesh(text("points"), text("triangles"), text("colour")));
}
