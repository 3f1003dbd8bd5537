// The catalogue in PostgreSQL.

import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import { articles } from './articles.js';
import { log } from './log.js';

// The key of PostgreSQL's advisory lock under which this service alone migrates its tables.
const MIGRATION_LOCK = 2102;

// Version n of the schema is made by migrations[n - 1]. What has been released is never changed.
const migrations = [
  async (client) => {
    await client.query(`CREATE TABLE products (
      id int PRIMARY KEY,
      sku text NOT NULL UNIQUE,
      name text NOT NULL,
      description text NOT NULL,
      price_cents int NOT NULL CHECK (price_cents > 0),
      stock int NOT NULL CHECK (stock >= 0)
    )`);
    for (const [index, { sku, name, description, price_cents, stock }] of articles.entries()) {
      await client.query('INSERT INTO products VALUES ($1, $2, $3, $4, $5, $6)', [
        index + 1, sku, name, description, price_cents, stock,
      ]);
    }
  },
];

export function createPool(connectionString) {
  const pool = new pg.Pool({
    connectionString,
    application_name: 'products',
    max: 4,
    // Also how long a question may wait for a connection of another's.
    connectionTimeoutMillis: 3000,
    idleTimeoutMillis: 60_000,
    statement_timeout: 3000,
    // The server's own limit does not help when its node has lost power.
    query_timeout: 4000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5000,
  });
  // An idle connection that breaks is not a reason to end.
  pool.on('error', (error) => log('warning', 'A connection broke.', { reason: cause(error) }));
  return pool;
}

const TRY_AGAIN_MS = 500;
const TRY_FOR_MS = 10_000;

/** One connection to the database, made and ended: throws where there is none to be had in time. */
export async function reach(connectionString, within = TRY_FOR_MS) {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: within, query_timeout: within });
  client.on('error', () => {}); // what breaks it is thrown by the question that it breaks
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    // Not waited for: a database whose node has just lost power does not answer a farewell either.
    client.end().catch(() => {});
  }
}

const unreachable = (error) =>
  !(error instanceof pg.DatabaseError) || /^(08|53300|57P)/.test(error.code ?? '');

/**
 * Asks the pool while the database can be reached. As soon as it can't, one connection at a time is
 * tried, `reach`, and everybody else is refused at once: connections that all visitors open and give
 * up again would keep a database busy that has just come back, and it would never be there for any.
 */
export function createGate(pool, reach, pause = sleep) {
  let away = false;

  async function comeBack() {
    while (!pool.ending) {
      try {
        await reach();
        break;
      } catch {
        await pause(TRY_AGAIN_MS);
      }
    }
    away = false;
    log('info', 'The database is there again.');
  }

  return {
    async query(text, values) {
      // A connection that is there may be used: on a busy machine only new ones may take too long.
      if (away && !pool.idleCount) throw new Error('the database is away');
      try {
        return await pool.query(text, values);
      } catch (error) {
        if (!away && unreachable(error)) {
          away = true;
          log('warning', 'The database is away.', { reason: cause(error) });
          comeBack();
        }
        throw error;
      }
    },
  };
}

/** What may be logged of an error: its class, never the values of a statement. */
export function cause(error) {
  return error.code ?? error.message;
}

/** True when done; tries every second while the database isn't there, until told to stop. */
export async function migrateUntilDone(pool, stop) {
  while (!stop.aborted) {
    try {
      await migrate(pool);
      return true;
    } catch (error) {
      log('warning', 'The database is not ready.', { reason: cause(error) });
    }
    await sleep(1000, undefined, { signal: stop }).catch(() => {});
  }
  return false;
}

/**
 * Brings the schema to its newest version, once, however many replicas try: who comes second waits
 * for the lock and finds nothing to do. The table says who did it.
 */
async function migrate(pool) {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query("SET LOCAL statement_timeout = '30s'");
    await client.query({
      text: 'SELECT pg_advisory_xact_lock($1)', values: [MIGRATION_LOCK], query_timeout: 30_000,
    });
    await client.query(`CREATE TABLE IF NOT EXISTS products_schema (
      version int PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now(), applied_by text NOT NULL
    )`);
    const { rows } = await client.query('SELECT coalesce(max(version), 0) AS version FROM products_schema');
    for (let { version } = rows[0]; version < migrations.length; version += 1) {
      await migrations[version](client);
      await client.query('INSERT INTO products_schema (version, applied_by) VALUES ($1, $2)', [
        version + 1, hostname(),
      ]);
      log('info', 'The schema was migrated.', { version: version + 1 });
    }
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(error); // closed: the server takes all of it back
    throw error;
  }
}

const COLUMNS = 'id, sku, name, description, price_cents, stock';

export function createCatalogue(pool) {
  const rows = async (text, values) => (await pool.query(text, values)).rows;
  return {
    page: (after, limit) =>
      rows(`SELECT ${COLUMNS} FROM products WHERE id > $1 ORDER BY id LIMIT $2`, [after, limit]),
    some: (ids) => rows(`SELECT ${COLUMNS} FROM products WHERE id = ANY($1) ORDER BY id`, [ids]),
    ping: () => pool.query('SELECT 1'),
  };
}
