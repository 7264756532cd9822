// Starts a KyroChat of its own: on free ports, in a temporary folder, slow enough to be watched while it answers.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** Starts the server, KYRO_BINARY or one built for this. Gives its address, and what stops it and removes its folder. */
export async function start(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'kyrochat-'));
  const binary = process.env.KYRO_BINARY ?? build(folder);
  const child = spawn(binary, {
    env: {
      PATH: process.env.PATH, HOME: process.env.HOME,
      KYRO_DATA_DIR: join(folder, 'data'), KYRO_ADDR: '127.0.0.1:0', KYRO_ADMIN_ADDR: '127.0.0.1:0', KYRO_LOG_FORMAT: 'json', KYRO_RATE_SCALE: '0',
      ...settings,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const log = [];
  const url = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log.join('\n')}`)));
    createInterface({ input: child.stderr }).on('line', (line) => {
      log.push(line);
      const entry = line.startsWith('{') ? JSON.parse(line) : {};
      if (entry.msg === 'ready') resolve(entry.graphql);
    });
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const hanging = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(hanging);
    await rm(folder, { recursive: true, force: true });
  };
  return { url, log, stop };
}

function build(folder) {
  const binary = join(folder, 'kyrochat');
  execFileSync('go', ['build', '-trimpath', '-o', binary, '.'], { cwd: repository, stdio: ['ignore', 'inherit', 'inherit'] });
  return binary;
}
