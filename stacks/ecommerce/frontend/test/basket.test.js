import assert from 'node:assert/strict';
import { test } from 'node:test';

import { call, newKey, order, Refused } from '../src/api.js';
import { added, asItems, count, MOST_ITEMS, restored, total, withPieces } from '../src/basket.js';

test('what can be done with a basket', () => {
  const two = added(added({}, 3), 3);
  assert.deepEqual(two, { 3: 2 });
  assert.deepEqual(withPieces(two, 3, '7'), { 3: 7 });
  assert.deepEqual(withPieces(two, 3, 0), {});
  assert.deepEqual(withPieces(two, 3, -1), {});
  assert.deepEqual(withPieces(two, 3, 'many'), {});
  assert.deepEqual(withPieces(two, 3, 100), { 3: 99 });
  assert.deepEqual(two, { 3: 2 }, 'a basket does not change');
  assert.equal(count({ 1: 2, 5: 3 }), 5);
  assert.equal(total({ 1: 2, 5: 3, 9: 1 }, [{ id: 1, price_cents: 100 }, { id: 5, price_cents: 7 }]), 221);
  assert.deepEqual(asItems({ 1: 2 }, [{ id: 1 }, { id: 2 }]), [{ product_id: 1, quantity: 2 }]);
});

test('a product that the shop has no more does not keep the others from being ordered', () => {
  assert.deepEqual(asItems({ 1: 2, 9: 1 }, [{ id: 1 }]), [{ product_id: 1, quantity: 2 }]);
});

test('a basket has room for as many products as an order', () => {
  let basket = {};
  for (let id = 1; id <= MOST_ITEMS + 1; id += 1) basket = added(basket, id);
  assert.equal(Object.keys(basket).length, MOST_ITEMS);
  assert.equal(added(basket, 1)[1], 2);
});

test('what lay in the browser is not believed', () => {
  assert.deepEqual(restored('{"1": 2, "x": 1, "-4": 1, "5": "x", "6": 1000, "__proto__": 3}'), { 1: 2, 6: 99 });
  for (const text of [null, '', '{', '7', '"text"', '[]']) assert.deepEqual(restored(text), {}, String(text));
});

const answers = (...codes) => {
  const sent = [];
  return { sent, fetcher: async (path, { headers }) => {
    sent.push(headers['Idempotency-Key']);
    const code = codes.shift();
    if (code === 0) throw new TypeError('Failed to fetch');
    return new Response(JSON.stringify(code < 300 ? { id: 'o' } : { error: 'word', message: 'A sentence.' }), { status: code });
  } };
};
const wait = async () => {};

test('an order of which nothing is known is sent again with the same key', async () => {
  const { sent, fetcher } = answers(0, 503, 201);
  assert.deepEqual(await order([], 't', 'k', { fetcher, wait }), { id: 'o' });
  assert.deepEqual(sent, ['k', 'k', 'k']);
});

test('not for ever, and not one that was refused', async () => {
  const never = answers(503, 503, 503, 503, 503);
  await assert.rejects(order([], 't', 'k', { fetcher: never.fetcher, wait }), (error) => error.code === 503);
  assert.equal(never.sent.length, 4);
  for (const code of [401, 409, 422]) {
    const { sent, fetcher } = answers(code, 201);
    await assert.rejects(order([], 't', 'k', { fetcher, wait }), (error) => error.code === code);
    assert.equal(sent.length, 1);
  }
});

test('what a refusal says is told', async () => {
  const refused = await call('GET', '/me', { token: 't' }, answers(401).fetcher).catch((error) => error);
  assert.ok(refused instanceof Refused);
  assert.deepEqual([refused.code, refused.word, refused.message], [401, 'word', 'A sentence.']);
  const page = async () => new Response('<html>', { status: 502 });
  const odd = await call('GET', '/me', {}, page).catch((error) => error);
  assert.deepEqual([odd.code, odd.word], [502, 'failed']);
  assert.match(odd.message, /try again/);
});

test('keys differ, and fit into the header', () => {
  assert.match(newKey(), /^[0-9a-f]{32}$/);
  assert.notEqual(newKey(), newKey());
});
