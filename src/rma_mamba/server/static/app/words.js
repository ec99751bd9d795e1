// Words that the page shows for the server's values.

const isOnThisComputer = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
export const PRIVACY_WORDS = isOnThisComputer ? "Nothing leaves this computer." : "Scans are sent to this server only.";
export const LIGHT_WORDS = { green: "No flags", yellow: "Check", red: "Do not use unchecked" };
export const LIGHT_ORDER = { red: 0, yellow: 1, green: 2 };
export const STATE_WORDS = { unseen: "Unseen", accepted: "Accepted", corrected: "Corrected", rejected: "Rejected" };
export const STATUS_WORDS = { new: "Waiting", queued: "Waiting", running: "Segmenting", done: "Done", failed: "Failed", cancelled: "Cancelled" };
export const STAGE_WORDS = {
  queued: "Waiting for its turn", reading: "Reading the scan", segmenting: "Segmenting", measuring: "Measuring", writing: "Writing the results",
  done: "Done", failed: "Failed", cancelled: "Cancelled",
};
export const KIND_WORDS = { automatic: "network", semiautomatic: "network, corrected", manual: "by hand" };

export function when(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
