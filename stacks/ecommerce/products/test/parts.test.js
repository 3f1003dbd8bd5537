import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { articles } from '../articles.js';
import { createCache } from '../cache.js';
import { createGate, reach } from '../database.js';
import { readSettings } from '../settings.js';

test('there are 24 articles that the table takes', () => {
  assert.equal(articles.length, 24);
  assert.equal(new Set(articles.map(({ sku }) => sku)).size, 24);
  for (const { name, description, price_cents, stock } of articles) {
    assert.ok(name && description && Number.isInteger(price_cents) && price_cents > 0 && stock >= 0, name);
  }
});

test('after three failures Redis is left alone for five seconds, then asked again', async () => {
  let now = 0;
  let asked = 0;
  let fails = true;
  const redis = {
    status: 'ready',
    get: async () => {
      asked += 1;
      if (fails) throw new Error('Command timed out');
      return '7';
    },
  };
  const cache = createCache(redis, () => now);
  for (let tried = 0; tried < 10; tried += 1) assert.deepEqual(await cache.get('k'), [undefined, 'off']);
  assert.equal(asked, 3);
  assert.equal(cache.usable(), false);
  now = 4999;
  await cache.get('k');
  assert.equal(asked, 3);
  fails = false;
  now = 5000;
  assert.deepEqual(await cache.get('k'), [7, 'hit']);
});

test('failures between successes do not open the breaker', async () => {
  let asked = 0;
  const redis = {
    status: 'ready',
    get: async () => {
      asked += 1;
      if (asked % 3) throw new Error('Command timed out');
      return null;
    },
  };
  const cache = createCache(redis, () => 0);
  for (let tried = 0; tried < 9; tried += 1) await cache.get('k');
  assert.equal(asked, 9);
});

test('while the database is away one connection at a time is tried, and visitors are refused', async () => {
  let asked = 0;
  let tried = 0;
  let there = false;
  const pool = {
    query: async () => {
      asked += 1;
      if (!there) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
      return { rows: [] };
    },
  };
  const reach = async () => {
    tried += 1;
    if (tried < 3) throw new Error('timeout');
    there = true;
  };
  const paused = [];
  const gate = createGate(pool, reach, () => new Promise((go) => paused.push(go)));
  for (let visitor = 0; visitor < 9; visitor += 1) await assert.rejects(gate.query('SELECT 1'));
  assert.deepEqual([asked, tried, paused.length], [1, 1, 1]);
  pool.idleCount = 1;
  await assert.rejects(gate.query('SELECT 1'), { message: 'no' });
  pool.idleCount = 0;
  await assert.rejects(gate.query('SELECT 1'), { message: 'the database is away' });
  assert.deepEqual([asked, tried, paused.length], [2, 1, 1]);
  for (const expected of [2, 3]) {
    paused.pop()();
    await new Promise(setImmediate);
    assert.equal(tried, expected);
  }
  assert.deepEqual(await gate.query('SELECT 1'), { rows: [] });
});

/** The address of a database that lets everybody in, and then says what `answer` gives for what it is told. */
async function database(t, answer) {
  const open = new Set();
  const server = createServer((socket) => {
    open.add(socket);
    socket.once('data', () => {
      // AuthenticationOk, ReadyForQuery.
      socket.write(Buffer.from('520000000800000000' + '5a0000000549', 'hex'));
      socket.on('data', (told) => socket.write(answer(told)));
    });
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    open.forEach((socket) => socket.destroy());
    server.close();
  });
  return `postgresql://u@127.0.0.1:${server.address().port}/d`;
}

const NOTHING = Buffer.alloc(0);

test('a database that stops in the middle of a first question is not waited for without end', async (t) => {
  await assert.rejects(reach(await database(t, () => NOTHING), 50), { message: 'Query read timeout' });
});

test('a database that stops before it hears a farewell was reached', async (t) => {
  // CommandComplete, ReadyForQuery; the connection stays open.
  const done = Buffer.from('430000000d' + Buffer.from('SELECT 1\0').toString('hex') + '5a0000000549', 'hex');
  await reach(await database(t, (told) => (told[0] === 0x51 ? done : NOTHING)), 50);
});

test('a question that the database refuses does not make it away', async () => {
  const { DatabaseError } = (await import('pg')).default;
  let asked = 0;
  const refused = Object.assign(new DatabaseError('no', 1, 'error'), { code: '57014' });
  const pool = { query: async () => { asked += 1; throw refused; } };
  const gate = createGate(pool, async () => assert.fail('nobody has to reach it'));
  for (let visitor = 0; visitor < 3; visitor += 1) await assert.rejects(gate.query('x'));
  assert.equal(asked, 3);
});

test('settings: a file goes before a variable, and no message tells a value', (t) => {
  const place = mkdtempSync(join(tmpdir(), 'shop-'));
  t.after(() => rmSync(place, { recursive: true }));
  const file = join(place, 'secret');
  writeFileSync(file, 'of the file\n');
  const env = { DATABASE_URL: 'of the environment', DATABASE_URL_FILE: file, REDIS_HOST: 'redis', REDIS_PASSWORD_FILE: file };
  assert.deepEqual(readSettings(env), {
    port: 3000, drainMs: 3000, databaseUrl: 'of the file',
    redis: { host: 'redis', port: 6379, password: 'of the file' },
  });
  assert.deepEqual(readSettings({ ...env, REDIS_URL_FILE: file }).redis, { url: 'of the file' });
  assert.equal(readSettings({ DATABASE_URL: 'x' }).redis, undefined);
  assert.throws(() => readSettings({}), /DATABASE_URL/);
  assert.throws(() => readSettings({ DATABASE_URL_FILE: `${file}.none` }), /DATABASE_URL_FILE.*ENOENT/);
  assert.throws(() => readSettings({ DATABASE_URL: 'hunter2', PORT: 'x' }), /^Error: PORT must be/);
  assert.throws(() => readSettings({ DATABASE_URL: 'x', DRAIN_SECONDS: '61' }), /DRAIN_SECONDS/);
});
