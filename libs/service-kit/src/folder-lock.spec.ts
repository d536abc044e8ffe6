import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderLock } from './folder-lock';
import { checkPorts } from './free-ports';

describe('a data folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'levee-lock-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('belongs to one process: the second is told who holds it', async () => {
    const first = await FolderLock.take(folder);
    await expect(FolderLock.take(folder)).rejects.toThrow(/still starting/);
    first.note({ http: 'http://127.0.0.1:1' });
    await expect(FolderLock.take(folder)).rejects.toThrow(
      new RegExp(`process ${process.pid}.*http://127.0.0.1:1.*LEVEE_DATA_DIR`),
    );
    await first.release();
    await (await FolderLock.take(folder)).release();
  });

  it('a damaged file of the lock is no other process', async () => {
    const own = join(folder, 'damaged');
    await (await FolderLock.take(own)).release();
    const files = readdirSync(join(own, 'lock'));
    expect(files.length).toBeGreaterThan(2);
    for (const name of files) {
      writeFileSync(join(own, 'lock', name), Buffer.alloc(30, 0xee));
      const lock = await FolderLock.take(own);
      await expect(FolderLock.take(own)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
      await lock.release();
    }
  });

  it('what is wrong with its disk is said as the disk says it', async () => {
    const own = join(folder, 'refused');
    mkdirSync(join(own, 'lock', 'LOCK'), { recursive: true });
    await expect(FolderLock.take(own)).rejects.toThrow(/cannot be used: .*LOCK: Is a directory; mend that/);
  });

  it('serves on where its note cannot be written', async () => {
    const own = join(folder, 'unnoted');
    const lock = await FolderLock.take(own);
    mkdirSync(join(own, 'doors.json'));
    expect(lock.note({})).toMatch(/EISDIR/);
    expect(lock.note({})).toBeUndefined();
    await lock.release();
  });

  it('is free again after its holder was killed with -9', async () => {
    const own = join(folder, 'killed');
    const script = `const {ClassicLevel}=require('classic-level');require('fs').mkdirSync(${JSON.stringify(own)},{recursive:true});const db=new ClassicLevel(${JSON.stringify(join(own, 'lock'))});db.open().then(()=>process.stdout.write('held'));setInterval(()=>{},1e3)`;
    const holder = spawn(process.execPath, ['-e', script], {
      cwd: process.cwd(),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    await expect(FolderLock.take(own)).rejects.toMatchObject({ code: 'FOLDER_IN_USE' });
    const gone = new Promise((resolve) => holder.once('exit', resolve));
    holder.kill('SIGKILL');
    await gone;
    await (await FolderLock.take(own)).release();
  });
});

it('a taken port is said with the setting that changes it, before anything starts', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  const wanted = { door: 'RESP', setting: 'LEVEE_RESP_PORT', host: '127.0.0.1', port };
  await expect(checkPorts([wanted, { ...wanted, port: 0 }])).rejects.toThrow(new RegExp(`${port}.*LEVEE_RESP_PORT`));
  await new Promise((resolve) => server.close(resolve));
  await checkPorts([wanted]);
});
