// The catalogue of the shop: starts, and stops within Swarm's grace period.

import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { createApp } from './app.js';
import { createCache, connectRedis } from './cache.js';
import { createCatalogue, createGate, createPool, migrateUntilDone, reach } from './database.js';
import { log } from './log.js';
import { readSettings } from './settings.js';

const FINISH_WITHIN_MS = 6000;

let settings;
try {
  settings = readSettings(process.env);
} catch (error) {
  log('error', 'The settings can’t be used.', { reason: error.message });
  process.exit(2);
}

const state = { draining: false, migrated: false };
const pool = createPool(settings.databaseUrl);
const redis = connectRedis(settings.redis);
const gate = createGate(pool, () => reach(settings.databaseUrl));
const app = createApp({ catalogue: createCatalogue(gate), cache: createCache(redis), state });
const server = createServer(app);
// Longer than a gateway keeps a connection: it, not the service, closes one that is idle.
server.keepAliveTimeout = 65_000;
server.requestTimeout = 10_000;
server.listen(settings.port, () => log('info', 'Listening.', { port: settings.port }));

const stop = new AbortController();
const migrated = migrateUntilDone(pool, stop.signal).then((done) => {
  state.migrated = done;
});

async function leave(signal) {
  if (state.draining) return;
  // Not every node has heard yet that this task takes no more visitors: those who still come are
  // served, on connections that are closed after the answer.
  log('info', 'Told to stop: draining.', { signal });
  state.draining = true;
  stop.abort();
  await sleep(settings.drainMs);
  const forced = setTimeout(() => server.closeAllConnections(), FINISH_WITHIN_MS);
  await new Promise((closed) => {
    server.close(closed);
    server.closeIdleConnections();
  });
  clearTimeout(forced);
  await migrated;
  redis?.disconnect();
  await pool.end();
  log('info', 'Stopped.');
  process.exit(0);
}
process.on('SIGTERM', leave);
process.on('SIGINT', leave);
