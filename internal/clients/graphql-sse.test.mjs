// graphql-sse in its distinct connections mode.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-sse';
import { ask, messageStream, proxy, shown, storedText, world } from './world.mjs';

const here = await world();
const { ada, url } = here;
const connect = (options = {}) => createClient({ url, headers: { authorization: ada.authorization }, retryAttempts: 0, ...options });

async function events(client, id, { after, enough = () => false } = {}) {
  const all = [];
  for await (const { data } of client.iterate({ query: messageStream, variables: { id, after } })) {
    all.push(data.messageStream);
    if (enough(all)) break;
  }
  return all;
}

test('a query gives one result', async () => {
  const results = [];
  for await (const result of connect().iterate({ query: '{ viewer { name } }' })) results.push(result.data);
  assert.deepEqual(results, [{ viewer: { name: 'Ada' } }]);
});

test('an answer streams to its end', async () => {
  const id = await ask(here);
  const all = await events(connect(), id);
  assert.equal(shown(all), await storedText(here, id));
  assert.equal(all.at(-1).__typename, 'MessageFinished');
});

test('a stream that is left can be entered again behind its cursor', async () => {
  const client = connect();
  const id = await ask(here);
  const first = await events(client, id, { enough: (all) => all.length === 8 });
  const rest = await events(client, id, { after: first.at(-1).cursor });
  assert.equal(rest[0].seq, first.at(-1).seq + 1);
  assert.equal(shown(rest, shown(first)), await storedText(here, id));
});

test('a wire that is cut in mid-stream is opened again', async (t) => {
  const wire = await proxy(url);
  t.after(wire.close);
  const id = await ask(here);
  const client = connect({ url: `${wire.url}/graphql`, retryAttempts: 10, retry: () => new Promise((wake) => setTimeout(wake, 50)) });
  let cut = false;
  const all = await events(client, id, {
    enough: (all) => {
      if (!cut && all.length === 8) {
        cut = true;
        wire.cut();
        wire.mend();
      }
      return false;
    },
  });
  assert.equal(all.filter((e) => e.__typename === 'MessageSnapshot').length, 2, 'without a cursor, a stream begins with a snapshot each time');
  assert.equal(shown(all), await storedText(here, id));
});

test('an invalid operation gives its errors', async () => {
  const { value } = await connect().iterate({ query: 'subscription { nothing }' }).next();
  assert.equal(value.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});

test('without a token a subscription gives UNAUTHENTICATED', async () => {
  const { value } = await connect({ headers: {} }).iterate({ query: messageStream, variables: { id: 'msg_1' } }).next();
  assert.equal(value.errors[0].extensions.code, 'UNAUTHENTICATED');
});
