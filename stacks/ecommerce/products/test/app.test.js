import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { afterEach, beforeEach, test } from 'node:test';

import { createApp } from '../app.js';
import { articles } from '../articles.js';
import { createCache } from '../cache.js';

const rows = articles.map((article, index) => ({ id: index + 1, ...article }));

let asked, away, state, redis, server, base;

beforeEach(async () => {
  asked = 0;
  away = false;
  state = { draining: false, migrated: true };
  redis = { status: 'ready', kept: new Map(), get: async (key) => redis.kept.get(key) ?? null,
    set: async (key, value) => redis.kept.set(key, value) };
  const answer = async (found) => {
    asked += 1;
    if (away) throw Object.assign(new Error('connect to postgresql://u:hunter2@x'), { code: 'ECONNREFUSED' });
    return found;
  };
  const catalogue = {
    page: (after, limit) => answer(rows.filter(({ id }) => id > after).slice(0, limit)),
    some: (ids) => answer(rows.filter(({ id }) => ids.includes(id))),
    ping: () => answer([]),
  };
  server = createServer(createApp({ catalogue, cache: createCache(redis), state }));
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  base = `http://127.0.0.1:${server.address().port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function ask(path, init) {
  const response = await fetch(base + path, init);
  return { code: response.status, headers: response.headers, content: await response.json() };
}

test('pages of the catalogue', async () => {
  const first = await ask('/products?limit=2');
  assert.equal(first.code, 200);
  assert.deepEqual(first.content, { products: rows.slice(0, 2) });
  assert.deepEqual((await ask('/products?limit=2&after=2')).content.products, rows.slice(2, 4));
  assert.deepEqual((await ask('/products?after=24')).content.products, []);
  assert.equal((await ask('/products')).content.products.length, 24);
});

test('what was looked up is kept, and prices to sell at are not', async () => {
  assert.equal((await ask('/products?limit=3')).headers.get('X-Cache'), 'miss');
  assert.equal((await ask('/products?limit=3')).headers.get('X-Cache'), 'hit');
  assert.equal(asked, 1);
  assert.equal((await ask('/products/3')).headers.get('X-Cache'), 'miss');
  assert.deepEqual((await ask('/products/3')).content, rows[2]);
  assert.equal(asked, 2);
  for (const wanted of [3, 4]) {
    const prices = await ask('/products?ids=1,5,4711');
    assert.equal(prices.headers.get('X-Cache'), 'off');
    assert.deepEqual(prices.content.products.map(({ id }) => id), [1, 5]);
    assert.equal(asked, wanted);
  }
});

test('without Redis, or with one that fails, the database is asked', async () => {
  redis.status = 'reconnecting';
  assert.equal((await ask('/products/1')).headers.get('X-Cache'), 'off');
  assert.deepEqual((await ask('/ready')).content, { status: 'ready', cache: 'off' });
  redis.status = 'ready';
  redis.get = async () => { throw new Error('Command timed out'); };
  let stored = 0;
  redis.set = async () => { stored += 1; };
  for (let tried = 0; tried < 5; tried += 1) {
    const { code, headers } = await ask('/products/1');
    assert.deepEqual([code, headers.get('X-Cache')], [200, 'off']);
  }
  assert.equal(stored, 0, 'who gave no answer is asked again by the same visitor');
});

test('what the cache should not hold is not believed', async () => {
  redis.kept.set('products:1:one:1', '{"id": 1, ');
  assert.deepEqual((await ask('/products/1')).content, rows[0]);
});

test('wrong questions are refused, and the database is not asked', async () => {
  for (const query of ['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=', 'limit=1e1', 'limit=x',
    'after=-1', 'after=2147483648', 'after=99999999999999999999', 'limit=1&limit=2', 'ids=', 'ids=0',
    'ids=1;DROP TABLE products', 'ids=1,,2', `ids=${Array(101).fill(1)}`, 'after=%00']) {
    const { code, content } = await ask(`/products?${query}`);
    assert.equal(code, 422, query);
    assert.equal(content.error, 'invalid');
    assert.match(content.message, /must be|may/);
  }
  assert.equal(asked, 0);
});

test('what is not there', async () => {
  for (const path of ['/products/0', '/products/25', '/products/x', '/products/1%20OR%201=1', '/products/99999999999',
    '/products/1/2', '/', '/product']) {
    const { code, content } = await ask(path);
    assert.deepEqual([code, content.error], [404, 'not_found'], path);
  }
  assert.equal((await ask('/products', { method: 'POST', body: '{}' })).code, 405);
});

test('a database that is away', async () => {
  away = true;
  const { code, headers, content } = await ask('/products');
  assert.deepEqual([code, content.error, headers.get('Retry-After')], [503, 'unavailable', '1']);
  assert.ok(!JSON.stringify(content).includes('hunter2'));
  assert.equal((await ask('/health')).code, 200);
  assert.equal((await ask('/started')).code, 200);
  const ready = await ask('/ready');
  assert.deepEqual([ready.code, ready.content.missing], [503, ['database']]);
});

test('before the schema is there', async () => {
  state.migrated = false;
  assert.equal((await ask('/started')).code, 503);
  assert.deepEqual((await ask('/ready')).content.missing, ['database']);
  assert.equal((await ask('/health')).code, 200);
});

test('who is leaving serves those who come, and keeps no connection', async () => {
  state.draining = true;
  const { code, headers } = await ask('/products');
  assert.deepEqual([code, headers.get('Connection')], [200, 'close']);
  assert.deepEqual((await ask('/ready')).content.missing, ['service']);
});

test('metrics name routes, not paths', async () => {
  await ask('/products/7');
  await ask('/no/such/address');
  const text = await (await fetch(`${base}/metrics`)).text();
  assert.match(text, /http_requests_total\{method="GET",route="\/products\/\{id\}",code="200"\} \d/);
  assert.match(text, /http_requests_total\{method="GET",route="unmatched",code="404"\} \d/);
  assert.match(text, /http_request_duration_seconds_bucket\{le="0.005",method="GET",route="\/products"\} \d/);
  assert.ok(!text.includes('no/such'));
});
