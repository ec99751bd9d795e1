// The identifier of this browser window, under which its drafts are kept. It outlives a reload. A duplicated tab starts
// with a copy of the storage of its original, so the window that uses an identifier holds a lock of that name.

const KEY = "rma-mamba.window";
const WAIT_MS = 1000; // in which a page that is reloaded lets go of its lock

let id = null;

export const windowId = () => id;

/** Take the identifier that this window has kept, or another one if a second window uses it. */
export async function claimWindow() {
  const kept = stored();
  id = kept && (await claim(kept)) ? kept : fresh();
  if (id === kept) return;
  await claim(id);
  try {
    sessionStorage.setItem(KEY, id);
  } catch {
    // A browser without storage: the drafts of this window are offered after a reload like those of another one.
  }
}

/** Whether a window with this identifier is open; true where that cannot be known. */
export async function isOpen(window) {
  if (!navigator.locks) return true;
  const { held } = await navigator.locks.query();
  return held.some(({ name }) => name === lockOf(window));
}

const lockOf = (window) => `${KEY}.${window}`;
const fresh = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

function stored() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

// Resolves to whether the identifier is ours; the lock is held as long as the page lives.
function claim(window) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks.request(lockOf(window), { signal: AbortSignal.timeout(WAIT_MS) }, () => {
      resolve(true);
      return new Promise(() => {});
    }).catch(() => resolve(false));
  });
}
