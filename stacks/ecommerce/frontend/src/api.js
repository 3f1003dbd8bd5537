// The shop's services, at the page's own origin.

/** An answer that is no success; `code` is 0 when there was none. */
export class Refused extends Error {
  constructor(code, word, message) {
    super(message);
    Object.assign(this, { code, word });
  }
}

const NOBODY = 'The shop can’t be reached. Please try again in a moment.';

/** The content of the answer; throws Refused. */
export async function call(method, path, { body, token, key } = {}, fetcher = fetch) {
  const headers = {};
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  if (token) headers.Authorization = `Bearer ${token}`;
  if (key) headers['Idempotency-Key'] = key;
  let response;
  try {
    response = await fetcher(`/api${path}`, {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Refused(0, 'unreachable', NOBODY);
  }
  const content = await response.json().catch(() => ({}));
  if (response.ok) return content;
  throw new Refused(response.status, content.error ?? 'failed', content.message ?? NOBODY);
}

/** A new idempotency key. Not crypto.randomUUID: browsers have it on pages with TLS alone. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

const TRIES = 4;

/**
 * Sends an order, and again with the same key while nobody knows what became of it: by the key the
 * shop knows it again, and never takes it twice.
 */
export async function order(items, token, key, { fetcher = fetch, wait = pause } = {}) {
  for (let tried = 1; ; tried += 1) {
    try {
      return await call('POST', '/orders', { body: { items }, token, key }, fetcher);
    } catch (error) {
      const unknown = error.code === 0 || error.code >= 500;
      if (!unknown || tried === TRIES) throw error;
      await wait(tried * 1000);
    }
  }
}

const pause = (ms) => new Promise((over) => setTimeout(over, ms));
