// A small static server for the examples: `npm start`, then http://localhost:5173/plain/ and so on.
// KYRO_URL names the API where it is not at http://127.0.0.1:8080.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('.', import.meta.url));
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.map': 'application/json' };
const served = /^\/(shared|plain|(apollo|urql)\/(dist\/|index\.html$))/;

/** Serves the examples for an API; 0 is any free port. Gives the server once it listens. */
export function serve(port, api) {
  const server = createServer(async (request, response) => {
    let path = normalize(decodeURIComponent(new URL(request.url, 'http://localhost').pathname));
    if (path.endsWith('/')) path += 'index.html';
    const type = types[extname(path)];
    const file = type && served.test(path) && (await readFile(join(root, path)).catch(() => null));
    if (!file) return response.writeHead(404).end('There is nothing here. Has it been built?\n');
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' });
    response.end(type === 'text/html' && api ? String(file).replaceAll('http://127.0.0.1:8080', api).replaceAll('ws://127.0.0.1:8080', api.replace('http', 'ws')) : file);
  });
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { port } = (await serve(Number(process.env.PORT ?? 5173), process.env.KYRO_URL)).address();
  for (const name of ['plain', 'apollo', 'urql']) console.log(`http://localhost:${port}/${name}/`);
}
