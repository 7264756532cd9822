// A small web site: pages that lead to each other, and to one that is not there.
import { createServer } from 'node:http';

const pages = {
  '/': ['Harbour Museum', 'The museum shows ships in bottles, and is open from nine to five on every day but Monday. <a href="/tickets">Tickets</a> <a href="/ferry">Ferry</a> <a href="/old">Old</a>'],
  '/tickets': ['Tickets', 'A ticket costs eleven crowns at the gate. Children under seven years and everybody who lives on the island pay nothing.'],
  '/ferry': ['The ferry', 'The ferry leaves from pier four at every full hour. Bicycles travel free of charge, cars are not taken along.'],
};

/** Serves the site at a free port of this machine. */
export function site() {
  const server = createServer((request, response) => {
    const [title, text] = pages[new URL(request.url, 'http://site').pathname] ?? [];
    if (!title) return response.writeHead(404).end();
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><html lang="en"><title>${title}</title><main><h1>${title}</h1><p>${text}</p></main></html>`);
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
