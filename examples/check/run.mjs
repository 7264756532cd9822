// Drives each example in headless Chromium against a server of its own, as a person would. `node check/run.mjs urql` drives
// one; KYRO_BINARY names a server that is built already, CHROMIUM the browser. Screenshots go to check/shots.
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { serve } from '../serve.mjs';
import { drive } from './drive.mjs';
import { handbook } from './handbook.mjs';
import { proxy } from './proxy.mjs';
import { start } from './server.mjs';
import { site } from './site.mjs';

const names = process.argv.length > 2 ? process.argv.slice(2) : ['plain', 'apollo', 'urql'];
const shots = fileURLToPath(new URL('shots/', import.meta.url));

await mkdir(shots, { recursive: true });
const museum = await site();
const { port } = museum.address();
const server = await start({ KYRO_OFFLINE_PACE: '200ms', KYRO_FETCH_ALLOW: `127.0.0.1:${port}`, KYRO_FETCH_DELAY: '500ms' });
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const file = `${shots}handbook.pdf`;
let failed = 0;

/** Drives one example, over a wire of its own. */
async function check(name) {
  const wire = await proxy(server.url);
  const pages = await serve(0, wire.url);
  const began = Date.now();
  try {
    await drive({ browser, name, page: `http://localhost:${pages.address().port}/${name}/`, api: server.url, wire, file, shots, museum: `http://127.0.0.1:${port}/` });
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.error(`FAIL ${name}`, error);
  } finally {
    pages.close();
    wire.close();
  }
}

try {
  await writeFile(file, await handbook(browser));
  await Promise.all(names.map(check));
} finally {
  await browser.close();
  await server.stop();
  museum.close();
}
console.log(`${names.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
