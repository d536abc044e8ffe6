// Stands in for a built app where only the supervisor is under test: ready at once, notes when it was asked to end.
const { appendFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { dirname, join } = require('node:path');

module.exports = function serve(portSetting) {
  const name = process.env.LEVEE_INSTANCE ?? process.env.LEVEE_NODE_ID;
  const isNode = process.env.LEVEE_NODE_ID !== undefined;
  const notes = join(isNode ? process.env.LEVEE_DATA_DIR : dirname(process.env.LEVEE_DATA_DIR), 'notes.txt');
  const server = createServer((request, response) => {
    const nodes = { nodes: [{}, {}, {}] };
    const bodies = { '/v1/nodes': nodes, '/v1/status': { master: 'm2' }, '/settings': process.env };
    const body = bodies[request.url] ?? {};
    if (request.method === 'POST') appendFileSync(notes, `${request.url}\n`);
    response.statusCode = request.method === 'POST' ? 201 : 200;
    response.end(JSON.stringify(body));
  });
  server.listen(Number(process.env[portSetting]), '127.0.0.1');
  process.on('SIGTERM', () => {
    appendFileSync(notes, `${name} ends\n`);
    process.exit(0);
  });
};
