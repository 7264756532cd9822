// Who is signed in, in plain JavaScript, so that all examples can use it.
//
// An access token is good for ten minutes. A refresh token gives the next pair and is used up by it, so no two refreshes
// may run at once: a lock of the browser's lets one through, over all tabs, and the others find its result.
//
// The tokens lie in localStorage, where they outlive a reload and where every script of the page can read them. Keep
// foreign scripts out by a content security policy, as the pages beside this file do.

/** @typedef {{ accessToken: string, accessTokenExpiresAt: string, refreshToken: string }} Session */

const key = 'kyrochat.session';
const deviceKey = 'kyrochat.device';
const early = 30_000; // milliseconds before its end that an access token is replaced

/** The address of the API, which the page names in its head. */
export const endpoint = /** @type {HTMLMetaElement} */ (document.querySelector('meta[name=kyrochat]')).content;
/** The same address for websockets. */
export const socketEndpoint = endpoint.replace(/^http/, 'ws');
/** The server's page for those who forgot their password: it asks for an address and mails a link. */
export const forgottenPage = new URL('account/reset-password', endpoint).href;

/** @returns {Session | null} */
function current() {
  const stored = localStorage.getItem(key);
  return stored && JSON.parse(stored);
}

export const signedIn = () => current() !== null;

/** What names this device when its person signs in again, also after signing out: it opens nothing by itself. */
export const deviceToken = () => localStorage.getItem(deviceKey);

/**
 * Keeps what registerUser, logIn and refreshSession give. A server whose sign-up waits for the mail gives no tokens.
 * @param {{ accessToken?: string | null, accessTokenExpiresAt?: string | null, refreshToken?: string | null, deviceToken?: string | null }} auth
 */
export function begin({ accessToken, accessTokenExpiresAt, refreshToken, deviceToken }) {
  if (!accessToken) throw new Error('A mail is on its way to you. Open its link, then sign in here.');
  const isNew = !signedIn();
  if (deviceToken) localStorage.setItem(deviceKey, deviceToken);
  localStorage.setItem(key, JSON.stringify({ accessToken, accessTokenExpiresAt, refreshToken }));
  if (isNew) listeners.forEach((tell) => tell());
}

export function end() {
  localStorage.removeItem(key);
  listeners.forEach((tell) => tell());
}

/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Calls tell whenever somebody signs in or out, in other tabs too. Gives what ends this.
 * @param {() => void} tell
 */
export function onChange(tell) {
  const inOtherTab = (/** @type {StorageEvent} */ e) => e.key === key && !(e.oldValue && e.newValue) && tell();
  listeners.add(tell);
  addEventListener('storage', inOtherTab);
  return () => {
    listeners.delete(tell);
    removeEventListener('storage', inOtherTab);
  };
}

/** The access token as it is, fresh or not. */
export const heldToken = () => current()?.accessToken;

/** Whether the token has to be replaced before it is sent. */
export function isStale(session = current()) {
  return session !== null && Date.parse(session.accessTokenExpiresAt) - Date.now() < early;
}

/**
 * A token to send, refreshed where it is about to end; undefined where nobody is signed in. Where the server refused one
 * (UNAUTHENTICATED), name it, and it is replaced whatever the clock says. A refresh that is refused ends the session.
 * @param {string} [refused]
 * @returns {Promise<string | undefined>}
 */
export async function freshToken(refused) {
  const good = (/** @type {Session | null} */ s) => !s || (s.accessToken !== refused && !isStale(s));
  if (good(current())) return heldToken();
  return navigator.locks.request(key, async () => {
    const session = current();
    if (!session || good(session)) return session?.accessToken; // somebody else was first
    const { payload } = await refresh(session.refreshToken);
    if (payload.errors.length > 0) end();
    else begin(payload);
    return heldToken();
  });
}

/** @param {string} refreshToken */
async function refresh(refreshToken) {
  const query = `mutation Refresh($input: RefreshSessionInput!) {
    payload: refreshSession(input: $input) { accessToken accessTokenExpiresAt refreshToken errors { code } }
  }`;
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { input: { refreshToken } } }),
  }).catch((cause) => {
    throw new Error('The server cannot be reached.', { cause });
  });
  const { data, errors } = await response.json();
  if (!data) throw new Error(errors[0].message); // the server cannot at the moment: the session stays
  return data;
}
