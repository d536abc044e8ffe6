// Loaded with --require into every process of a cluster: ends it when its supervisor is gone, however that ended. The
// supervisor holds the other end of this process's standard input; the kernel closes it even after kill -9.
const { isMainThread } = require('node:worker_threads');

/** As long as SIGTERM may drain; afterwards nobody is left who would mind. */
const drainMs = 5_000;

if (isMainThread) {
  const { Socket } = require('node:net');
  const supervisor = new Socket({ fd: 0, readable: true, writable: false });
  const orphaned = () => {
    process.kill(process.pid, 'SIGTERM');
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), drainMs).unref();
  };
  supervisor.on('error', () => undefined);
  supervisor.once('close', orphaned);
  supervisor.resume();
  supervisor.unref();
}
