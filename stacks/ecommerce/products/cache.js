// A cache that may be away: the catalogue is served without it, and not much slower.

import { Redis } from 'ioredis';

import { log } from './log.js';

const ANSWER_WITHIN_MS = 200;
const KEEP_S = 30;
const FAILURES_TO_OPEN = 3;
const OPEN_FOR_MS = 5000;

/** A client that never makes anybody wait for a connection; undefined without settings. */
export function connectRedis(settings) {
  if (!settings) return undefined;
  const { url, ...by } = settings;
  const options = {
    ...by,
    commandTimeout: ANSWER_WITHIN_MS,
    connectTimeout: 2000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (tries) => Math.min(tries * 200, 2000),
  };
  const redis = url ? new Redis(url, options) : new Redis(options);
  let last;
  redis.on('error', (error) => {
    // The same trouble is told once, not with each try.
    const reason = error.code ?? error.message;
    if (reason !== last) log('warning', 'Redis can’t be used; serving without it.', { reason });
    last = reason;
  });
  redis.on('ready', () => {
    last = undefined;
    log('info', 'Redis is there.');
  });
  return redis;
}

/**
 * `get` gives [value or undefined, 'hit' | 'miss' | 'off']; neither it nor `set` ever throws.
 * After three failures in a row Redis is left alone for five seconds: a slow one would cost every
 * visitor the 200 ms that it takes to give it up.
 */
export function createCache(redis, now = Date.now) {
  let failures = 0;
  let closedAt = 0;
  const usable = () => redis?.status === 'ready' && now() >= closedAt;

  async function guarded(command) {
    try {
      const answer = await command();
      failures = 0;
      return [answer, true];
    } catch {
      failures += 1;
      if (failures >= FAILURES_TO_OPEN) {
        failures = 0;
        closedAt = now() + OPEN_FOR_MS;
        log('warning', 'Redis fails again and again; it is left alone for a while.');
      }
      return [undefined, false];
    }
  }

  return {
    usable,
    async get(key) {
      if (!usable()) return [undefined, 'off'];
      const [text, answered] = await guarded(() => redis.get(key));
      if (!answered) return [undefined, 'off'];
      if (text === null) return [undefined, 'miss'];
      try {
        return [JSON.parse(text), 'hit'];
      } catch {
        return [undefined, 'miss'];
      }
    },
    async set(key, value) {
      if (usable()) await guarded(() => redis.set(key, JSON.stringify(value), 'EX', KEEP_S));
    },
  };
}
