/**
 * A process that starts and stops the standalone as often as it is asked, so that a campaign need not load it anew each
 * time. It has no handler for what nobody catches: that ends it, and whoever asked counts the end.
 */
const { join } = require('node:path');

const dist = join(__dirname, '..', '..', 'dist');
const { startStandalone } = require(join(dist, 'apps/standalone/src/standalone.js'));
const { createLogger, Lifecycle } = require(join(dist, 'libs/service-kit/src'));

const logger = createLogger({ level: process.env.LEVEE_LOG_LEVEL ?? 'error', part: 'levee' });
let lifecycle;

process.on('message', ({ start, stop }) => {
  const work = start === undefined ? (stop ? stopped() : Promise.resolve()) : started(start);
  work.then(
    () => process.send({ ok: true }),
    (error) => process.send({ ok: false, code: String(error.code), message: String(error.message) }),
  );
});
process.on('disconnect', () => process.exit(0));

async function started(env) {
  lifecycle = new Lifecycle(logger, 20_000);
  try {
    await startStandalone(env, { lifecycle, logger, greet: () => undefined });
  } catch (error) {
    await stopped();
    throw error;
  }
}

async function stopped() {
  const ending = lifecycle;
  lifecycle = undefined;
  await ending?.drain();
}
