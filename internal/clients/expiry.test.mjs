// Access tokens that end while a stream runs: the server closes with 4403, and graphql-ws comes back with a fresh one.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, messageStream, storedText, world } from './world.mjs';

const here = await world({ KYRO_ACCESS_TOKEN_TTL: '5s', KYRO_OFFLINE_PACE: '500ms' });

test('an answer outlives the token it was asked with', async () => {
  const { ada } = here;
  await ada.refresh();
  const id = await ask(here);
  let connections = 0;
  const client = createClient({
    url: here.socketUrl, webSocketImpl: WebSocket, retryAttempts: 3, retryWait: async () => {},
    connectionParams: async () => {
      if (connections++ > 0) await ada.refresh();
      return { authorization: ada.authorization };
    },
  });
  const codes = [];
  client.on('closed', ({ code }) => codes.push(code));
  let end;
  for await (const { data } of client.iterate({ query: messageStream, variables: { id } })) {
    if (data.messageStream.__typename === 'MessageFinished') end = data.messageStream.message.text;
  }
  assert.ok(codes.includes(4403), codes.join());
  assert.equal(end, await storedText(here, id));
  await client.dispose();
});
