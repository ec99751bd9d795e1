// Words that the page shows for the server's values.

const isOnThisComputer = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
export const PRIVACY_WORDS = isOnThisComputer ? "Nothing leaves this computer." : "Scans are sent to this server only.";
export const LIGHT_WORDS = { green: "No flags", yellow: "Check", red: "Do not use unchecked" };
export const LIGHT_ORDER = { red: 0, yellow: 1, green: 2 };
export const STATE_WORDS = { unseen: "Unseen", accepted: "Accepted", corrected: "Corrected", rejected: "Rejected" };
export const OUTDATED_WORDS = "Newer version not reviewed";
export const STATUS_WORDS = { new: "Waiting", queued: "Waiting", running: "Segmenting", done: "Done", failed: "Failed", cancelled: "Cancelled" };
export const STAGE_WORDS = {
  queued: "Waiting for its turn", reading: "Reading the scan", segmenting: "Segmenting", measuring: "Measuring", writing: "Writing the results",
  done: "Done", failed: "Failed", cancelled: "Cancelled",
};
export const KIND_WORDS = { automatic: "network", semiautomatic: "network, corrected", manual: "by hand" };

/** Whether a case was decided on before its newest version was saved. */
export const isOutdated = (review, newest) => Boolean(review?.version && review.state !== "unseen" && newest > review.version);

/** The decision on a case, and on which version it is if a newer one was not reviewed. */
export function decisionWords(review, newest) {
  const words = STATE_WORDS[review?.state ?? "unseen"];
  return isOutdated(review, newest) ? `${words} (version ${review.version}; newer version ${newest} not reviewed)` : words;
}

export function when(time) {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? "" : date.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
