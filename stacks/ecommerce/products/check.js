// `node check.js`: has the service in this container started? For Swarm's health check, so that the
// image needs no other client.

import { get } from 'node:http';

const port = Number(process.env.PORT || 3000);
const asked = get({ host: '127.0.0.1', port, path: '/started', timeout: 5000 }, ({ statusCode }) => {
  process.exit(statusCode === 200 ? 0 : 1);
});
asked.on('timeout', () => asked.destroy(new Error('no answer within 5 s')));
asked.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
