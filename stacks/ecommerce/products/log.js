// Lines of JSON on standard output.

/** What is logged is chosen field by field: no URL with a password, no header, no body. */
export function log(level, msg, fields = {}) {
  const line = { time: new Date().toISOString(), level, service: 'products', msg, ...fields };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
