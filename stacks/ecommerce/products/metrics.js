// What Prometheus is told.

import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';

export const registry = new Registry();
collectDefaultMetrics({ register: registry });

const registers = [registry];
export const requests = new Counter({
  name: 'http_requests_total', help: 'Requests answered.',
  labelNames: ['method', 'route', 'code'], registers,
});
export const durations = new Histogram({
  name: 'http_request_duration_seconds', help: 'Time from a request’s headers to its answer.',
  labelNames: ['method', 'route'], buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
  registers,
});
export const lookups = new Counter({
  name: 'products_cache_lookups_total', help: 'Looks into the cache: hit, miss or off.',
  labelNames: ['result'], registers,
});
