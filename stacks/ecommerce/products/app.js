// What is answered at which address.

import { cause } from './database.js';
import { log } from './log.js';
import { durations, lookups, registry, requests } from './metrics.js';

const LARGEST_ID = 2 ** 31 - 1; // PostgreSQL's int
const MOST_AT_ONCE = 100;

class Refused extends Error {
  constructor(code, word, message) {
    super(message);
    Object.assign(this, { code, word });
  }
}

const invalid = (message) => new Refused(422, 'invalid', message);

/** A whole number, written with digits alone, in bounds. */
function whole(text, what, least, largest) {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  if (value >= least && value <= largest) return value;
  throw invalid(`${what} must be a whole number from ${least} to ${largest}.`);
}

/** The one value of a parameter; undefined where it is missing. */
function single(query, name) {
  const values = query.getAll(name);
  if (values.length > 1) throw invalid(`${name} may be given once.`);
  return values[0];
}

function answer(response, code, content, headers = {}) {
  const body = JSON.stringify(content);
  response.writeHead(code, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}

const refuse = (response, { code, word, message }, headers) =>
  answer(response, code, { error: word, message }, headers);

/**
 * `catalogue` and `cache` as in database.js and cache.js; `state` says whether the schema is
 * `migrated` and whether the service is `draining`.
 */
export function createApp({ catalogue, cache, state }) {
  async function kept(key, load) {
    const [found, how] = await cache.get(key);
    lookups.inc({ result: how });
    if (how === 'hit') return [found, how];
    const loaded = await load();
    if (how === 'miss' && loaded !== undefined) await cache.set(key, loaded);
    return [loaded, how];
  }

  async function list(response, query) {
    const ids = single(query, 'ids');
    if (ids !== undefined) {
      const wanted = ids.split(',').map((id) => whole(id, 'Each of ids', 1, LARGEST_ID));
      if (wanted.length > MOST_AT_ONCE) throw invalid(`ids may name ${MOST_AT_ONCE} products.`);
      // Who asks by id wants to sell: prices come from the database.
      answer(response, 200, { products: await catalogue.some(wanted) }, { 'X-Cache': 'off' });
      return;
    }
    const limit = whole(single(query, 'limit') ?? '24', 'limit', 1, MOST_AT_ONCE);
    const after = whole(single(query, 'after') ?? '0', 'after', 0, LARGEST_ID);
    const [products, how] = await kept(`products:1:page:${after}:${limit}`, () =>
      catalogue.page(after, limit));
    answer(response, 200, { products }, { 'X-Cache': how });
  }

  async function product(response, text) {
    const id = /^\d{1,10}$/.test(text) && Number(text) <= LARGEST_ID ? Number(text) : 0;
    const [product, how] = await kept(`products:1:one:${id}`, async () =>
      (await catalogue.some([id]))[0]);
    if (product) answer(response, 200, product, { 'X-Cache': how });
    else throw new Refused(404, 'not_found', 'There is no such product.');
  }

  async function ready(response) {
    const missing = [];
    if (state.draining) missing.push('service');
    if (!state.migrated) missing.push('database');
    else await catalogue.ping().catch(() => missing.push('database'));
    // Without Redis the catalogue is served all the same.
    if (!missing.length) answer(response, 200, { status: 'ready', cache: cache.usable() ? 'on' : 'off' });
    else answer(response, 503, { error: 'not_ready', message: `Not there: ${missing}.`, missing });
  }

  async function operations(path, response) {
    if (path === '/health') answer(response, 200, { status: 'alive' });
    else if (path === '/ready') await ready(response);
    else if (path === '/metrics') {
      response.writeHead(200, { 'Content-Type': registry.contentType });
      response.end(await registry.metrics());
    } else if (path === '/started') {
      // For Swarm's health check: once the service could do its work it asks nobody, like /health.
      if (state.migrated) answer(response, 200, { status: 'started' });
      else answer(response, 503, {
        error: 'not_ready', message: 'The database has not been there yet.', missing: ['database'],
      });
    } else return false;
    return true;
  }

  async function visit(request, response, url, route) {
    if (route === 'unmatched') throw new Refused(404, 'not_found', 'There is nothing at this address.');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new Refused(405, 'method', 'This address has no such method.');
    }
    if (route === '/products') await list(response, url.searchParams);
    else await product(response, url.pathname.slice('/products/'.length));
  }

  return async function app(request, response) {
    const began = performance.now();
    if (state.draining) response.setHeader('Connection', 'close');
    const url = URL.canParse(request.url, 'http://localhost') ? new URL(request.url, 'http://localhost') : null;
    try {
      if (url && (await operations(url.pathname, response))) return;
    } catch (error) {
      response.destroy(error);
      return;
    }
    let route = 'unmatched';
    if (url?.pathname === '/products') route = '/products';
    else if (/^\/products\/[^/]+$/.test(url?.pathname ?? '')) route = '/products/{id}';
    try {
      await visit(request, response, url, route);
    } catch (error) {
      if (error instanceof Refused) refuse(response, error);
      else {
        log('error', 'A request could not be served.', { reason: cause(error) });
        refuse(response, {
          code: 503, word: 'unavailable', message: 'The catalogue can’t be reached now; please try again.',
        }, { 'Retry-After': '1' });
      }
    }
    const took = performance.now() - began;
    const method = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(request.method)
      ? request.method : 'other';
    // The route, not the path: who asks for a million addresses makes no million counters.
    requests.inc({ method, route, code: response.statusCode });
    durations.observe({ method, route }, took / 1000);
    log('info', 'request', {
      method, route, code: response.statusCode, ms: Math.round(took),
      request_id: (request.headers['x-request-id'] ?? '').slice(0, 64),
    });
  };
}
