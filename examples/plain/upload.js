// A file by the upload protocol: in parts, and on from where the connection broke.
import { endpoint } from '../shared/session.js';

const partSize = 1 << 20;
const patience = 10; // tries in a row that bring nothing

/** Sends a file to the address that createUpload gave. Yields how many bytes are there, and at the end the document's id. */
export async function* send(url, file) {
  const address = new URL(new URL(url).pathname, endpoint); // the server as this page reaches it
  let vain = 0;
  for (let there = 0; ; ) {
    yield { there };
    try {
      const part = file.slice(there, there + partSize);
      const range = part.size ? `bytes ${there}-${there + part.size - 1}/${file.size}` : `bytes */${file.size}`; // all is there
      const answer = await fetch(address, { method: 'PUT', body: part.size ? part : undefined, headers: { 'content-range': range } });
      if (answer.status === 201) return yield { there: file.size, ...(await answer.json()) };
      if (answer.status === 308 || answer.status === 409) {
        there = Number(answer.headers.get('upload-offset'));
        vain = 0;
        continue;
      }
      if (answer.status < 500 && answer.status !== 429) throw new Error((await answer.json()).errors[0].message); // nothing that another try would mend
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // fetch throws TypeErrors where the network fails
    }
    if (++vain > patience) throw new Error('The file could not be sent. Try it again.');
    await new Promise((resolve) => setTimeout(resolve, Math.min(500 * vain, 5_000)));
    const head = await fetch(address, { method: 'HEAD' }).catch(() => null); // how much arrived?
    if (head?.ok) there = Number(head.headers.get('upload-offset'));
  }
}
