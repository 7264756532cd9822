// A wire that can be cut: a TCP proxy in front of the server.
import { connect, createServer } from 'node:net';

/**
 * Gives the address of a proxy to url; cut breaks every connection and every new one, until mend, and resolves when
 * somebody has tried a new one in vain.
 */
export async function proxy(url) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let broken = false;
  let tried;
  const server = createServer((near) => {
    if (broken) {
      near.resetAndDestroy();
      return tried();
    }
    const far = connect(port, hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    broken = true;
    sockets.forEach((socket) => socket.resetAndDestroy());
    return new Promise((resolve) => (tried = resolve));
  };
  const mend = () => (broken = false);
  const close = () => {
    cut();
    server.close();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, cut, mend, close };
}
