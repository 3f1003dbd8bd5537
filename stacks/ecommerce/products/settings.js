// Configuration by environment; a secret by the path of its file.

import { readFileSync } from 'node:fs';

/** The content of the file that NAME_FILE names, or NAME itself, without a final newline. */
function secret(env, name) {
  const path = env[`${name}_FILE`];
  if (!path) return env[name] || undefined;
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '') || undefined;
  } catch (error) {
    throw new Error(`${name}_FILE names a file that can’t be read (${error.code}).`);
  }
}

function number(env, name, otherwise, largest) {
  const value = Number(env[name] || otherwise);
  if (!(value >= 0 && value <= largest)) {
    throw new Error(`${name} must be a number from 0 to ${largest}.`);
  }
  return value;
}

/**
 * Redis is optional: by REDIS_URL, or by REDIS_HOST, REDIS_PORT and REDIS_PASSWORD.
 * Throws an Error that names the variable, never its value.
 */
export function readSettings(env) {
  const databaseUrl = secret(env, 'DATABASE_URL');
  if (!databaseUrl) throw new Error('Neither DATABASE_URL_FILE nor DATABASE_URL gives a value.');
  const url = secret(env, 'REDIS_URL');
  const host = env.REDIS_HOST;
  return {
    port: number(env, 'PORT', 3000, 65535),
    drainMs: number(env, 'DRAIN_SECONDS', 3, 60) * 1000,
    databaseUrl,
    redis: url
      ? { url }
      : host && {
          host,
          port: number(env, 'REDIS_PORT', 6379, 65535),
          password: secret(env, 'REDIS_PASSWORD'),
        },
  };
}
