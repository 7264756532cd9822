// Drives the playground, and then the pages that links in mails lead to, against a server of its own: KYRO_BINARY, or one that
// is built for this. `node check/check.mjs` and `node check/account.mjs` do one of them, on a server that runs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { start } from '../../../examples/check/server.mjs';

const server = await start({ KYRO_RATE_SCALE: '1' }); // with the limits that a person meets
try {
  for (const name of ['check.mjs', 'account.mjs']) {
    const script = fileURLToPath(new URL(name, import.meta.url));
    const child = spawn(process.execPath, [script], { env: { ...process.env, KYRO_URL: new URL('/', server.url).href }, stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    if (code !== 0) {
      console.error(`${name} ended with ${code}; the server said:\n${server.log.join('\n')}`);
      process.exitCode = 1;
      break;
    }
  }
} finally {
  await server.stop();
}
