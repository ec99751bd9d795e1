// The server's interface; every call of the page goes through here or through images.js.

export class ServerError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function request(path, { method = "GET", body = null, headers = {}, kind = "json" } = {}) {
  let answer;
  try {
    answer = await fetch(`/api${path}`, { method, body, headers, credentials: "same-origin" });
  } catch {
    throw new ServerError("The server does not answer; it may have been stopped. Start `rma-mamba serve` again.", 0);
  }
  if (answer.status === 401) throw new ServerError("This window is not signed in. Open the link that `rma-mamba serve` printed, or load the page again to log in.", 401);
  if (!answer.ok) {
    const found = await answer.json().catch(() => ({}));
    throw new ServerError(found.error ?? `The server answered ${answer.status}. Reload the page.`, answer.status);
  }
  if (kind === "bytes") return new Uint8Array(await answer.arrayBuffer());
  if (kind === "answer") return answer;
  return answer.status === 204 ? null : answer.json();
}

const asJson = (value) => ({ body: JSON.stringify(value), headers: { "Content-Type": "application/json" } });
const query = (values) => {
  const text = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return text.size ? `?${text}` : "";
};
const NIFTI = { "Content-Type": "application/gzip" };
const caseUrl = (id) => `/cases/${encodeURIComponent(id)}`;

export const api = {
  info: () => request("/info"),
  browse: (path) => request(`/browse${query({ path })}`),
  open: (path) => request("/open", { method: "POST", ...asJson({ path }) }),
  cases: (filter = {}) => request(`/cases${query(filter)}`),
  case: (id) => request(caseUrl(id)),
  identity: (id) => request(`${caseUrl(id)}/identity`),
  version: (id, version) => request(`${caseUrl(id)}/versions/${encodeURIComponent(version)}`),
  series: (id) => request(`${caseUrl(id)}/series`),
  openSeries: (id, series) => request(`${caseUrl(id)}/series`, { method: "POST", ...asJson({ series }) }),
  cancel: (id) => request(`${caseUrl(id)}/cancel`, { method: "POST" }),
  restart: (id) => request(`${caseUrl(id)}/restart`, { method: "POST" }),
  scanUrl: (id, version) => `/api${caseUrl(id)}/scan.nii.gz${query({ version })}`,
  maskUrl: (id, version) => `/api${caseUrl(id)}/versions/${encodeURIComponent(version)}/mask.nii.gz`,
  uncertaintyUrl: (id) => `/api${caseUrl(id)}/uncertainty.nii.gz`,
  draftUrl: (id, { window, parent }) => `/api${caseUrl(id)}/draft${query({ window, parent })}`,
  eventsUrl: (id = null) => (id === null ? "/api/events" : `/api${caseUrl(id)}/events`),
  // The author travels in a header: no name stands in an address.
  saveVersion: (id, details, author, body) => {
    const headers = { ...NIFTI, ...(author ? { "X-Rma-Author": encodeURIComponent(author) } : {}) };
    return request(`${caseUrl(id)}/versions${query(details)}`, { method: "POST", body, headers });
  },
  importMask: (id, file) => request(`${caseUrl(id)}/masks`, { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } }),
  putDraft: (id, details, body) => request(`${caseUrl(id)}/draft${query(details)}`, { method: "PUT", body, headers: NIFTI }),
  dropDraft: (id, { window, parent }) => request(`${caseUrl(id)}/draft${query({ window, parent })}`, { method: "DELETE" }),
  review: (id, etag, review) => {
    const { body, headers } = asJson(review);
    return request(`${caseUrl(id)}/review`, { method: "PUT", body, headers: { ...headers, "If-Match": etag } });
  },
  tool: (id, name, options, body) =>
    request(`${caseUrl(id)}/tools/${name}${query(options)}`, { method: "POST", body, headers: NIFTI, kind: "bytes" }),
  measure: (id, version, body) => request(`${caseUrl(id)}/tools/measure${query({ version })}`, { method: "POST", body, headers: NIFTI }),
  exportFile: (id, options) => request(`${caseUrl(id)}/export${query(options)}`, { kind: "answer" }),
};

/** Send files ({path, file}) and report the share that has been sent; XMLHttpRequest because fetch reports no progress. */
export function upload(files, progress) {
  const form = new FormData();
  for (const { path, file } of files) form.append("files", file, path);
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", "/api/uploads");
    sending.responseType = "json";
    sending.upload.addEventListener("progress", (event) => progress(event.lengthComputable ? event.loaded / event.total : null));
    sending.addEventListener("error", () => reject(new ServerError("The upload was interrupted; try again.", 0)));
    sending.addEventListener("load", () => {
      if (sending.status < 300) resolve(sending.response);
      else reject(new ServerError(sending.response?.error ?? `The server answered ${sending.status}; try again.`, sending.status));
    });
    sending.send(form);
  });
}
