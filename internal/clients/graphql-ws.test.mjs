// graphql-ws, the websocket client that Apollo, urql and others use.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, messageStream, person, proxy, shown, storedText, world } from './world.mjs';

const here = await world();
const { ada, socketUrl: url } = here;
const connect = (options = {}) =>
  createClient({ url, webSocketImpl: WebSocket, connectionParams: { authorization: ada.authorization }, retryAttempts: 0, ...options });

/** Runs one operation that gives one result. */
async function once(client, query, variables) {
  const { value } = await client.iterate({ query, variables }).next();
  return value;
}

/** Collects the events of an answer until its end, or until enough. */
async function events(client, id, { after, enough = () => false } = {}) {
  const all = [];
  for await (const { data } of client.iterate({ query: messageStream, variables: { id, after } })) {
    all.push(data.messageStream);
    if (enough(all)) break;
  }
  return all;
}

test('queries and mutations run on the socket', async () => {
  const client = connect();
  const { data } = await once(client, 'mutation { createBot(input: { name: "Second" }) { bot { name } errors { code } } }');
  assert.deepEqual(data.createBot, { bot: { name: 'Second' }, errors: [] });
  assert.match((await once(client, '{ viewer { id } }')).data.viewer.id, /^user_/);
  await client.dispose();
});

test('an answer streams to its end', async () => {
  const client = connect();
  const id = await ask(here);
  const all = await events(client, id);
  const stored = await storedText(here, id);
  assert.equal(shown(all), stored);
  assert.equal(all.at(-1).message.text, stored);
  assert.ok(all.at(-1).message.citations.length > 0);
  assert.equal(all.filter((e) => e.__typename === 'MessageFinished').length, 1);
  await client.dispose();
});

test('an invalid operation is refused with a list of errors, and the socket stays', async () => {
  const client = connect({ lazyCloseTimeout: 5_000 });
  let sockets = 0;
  client.on('opened', () => sockets++);
  await assert.rejects(once(client, 'subscription { nothing }'), (errors) => {
    assert.ok(Array.isArray(errors));
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
  const { errors } = await once(client, 'subscription { messageStream(messageId: "msg_999999") { __typename } }');
  assert.equal(errors[0].extensions.code, 'NOT_FOUND');
  assert.ok((await once(client, '{ viewer { id } }')).data.viewer);
  assert.equal(sockets, 1);
  await client.dispose();
});

test('a token that is refused closes the socket with 4403', async () => {
  const client = connect({ connectionParams: { authorization: 'Bearer nonsense' } });
  await assert.rejects(once(client, '{ viewer { id } }'), ({ code }) => code === 4403);
});

test('the client comes back from 4403 with another token', async () => {
  let asked = 0;
  const client = connect({
    connectionParams: () => ({ authorization: asked++ === 0 ? 'Bearer nonsense' : ada.authorization }),
    retryAttempts: 1,
    retryWait: async () => {},
  });
  assert.ok((await once(client, '{ viewer { id } }')).data.viewer);
  assert.equal(asked, 2);
  await client.dispose();
});

test('a session that ends closes the socket with 4401, and the client does not come back', async () => {
  const eve = await person(here.url);
  const client = connect({ connectionParams: { authorization: eve.authorization }, retryAttempts: 5 });
  const closed = new Promise((resolve) => client.on('closed', resolve));
  const { createBot } = await eve.run('mutation { createBot(input: { name: "Short" }) { bot { id } } }');
  const progress = client.iterate({ query: 'subscription ($id: ID!) { documentProgress(botId: $id) { percent } }', variables: { id: createBot.bot.id } });
  const next = progress.next();
  next.catch(() => {}); // it is looked at below
  await new Promise((resolve) => client.on('connected', resolve));
  await eve.run('mutation { logOut { loggedOut } }');
  assert.equal((await closed).code, 4401);
  await assert.rejects(next, ({ code }) => code === 4401);
});

test('many operations share one socket', async () => {
  const client = connect();
  const names = Array.from({ length: 60 }, (_, i) => `n${i}`);
  const results = await Promise.all(names.map((name) => once(client, `query ($yes: Boolean!) { ${name}: __typename @include(if: $yes) }`, { yes: true })));
  assert.deepEqual(results.map(({ data }) => Object.keys(data)[0]), names);
  await client.dispose();
});

test('pings are answered', async () => {
  const client = connect({ keepAlive: 20, lazy: false });
  let pongs = 0;
  await new Promise((resolve) => client.on('pong', (received) => received && ++pongs === 3 && resolve()));
  await client.dispose();
});

test('over a wire that is cut, variables with a getter go on behind the cursor', async (t) => {
  const wire = await proxy(here.url);
  t.after(wire.close);
  const client = connect({
    url: `${wire.url.replace('http', 'ws')}/graphql`, shouldRetry: () => true, retryAttempts: Infinity, retryWait: async () => {},
  });
  let opened = 0;
  client.on('connected', () => opened++);
  const id = await ask(here);
  const all = [];
  let cursor;
  for await (const { data } of client.iterate({ query: messageStream, variables: { id, get after() { return cursor; } } })) {
    ({ cursor } = data.messageStream);
    all.push(data.messageStream);
    if (all.length === 3 || all.length === 9) {
      wire.cut();
      wire.mend();
    }
  }
  assert.ok(opened > 1, `opened ${opened} times`);
  assert.deepEqual(all.map((e) => e.seq), all.map((_, i) => all[0].seq + i), 'each event came once');
  assert.equal(shown(all), await storedText(here, id));
  await client.dispose();
});

test('a stream that is left can be entered again behind its cursor', async () => {
  const client = connect();
  const id = await ask(here);
  const first = await events(client, id, { enough: (all) => all.length === 8 });
  const rest = await events(client, id, { after: first.at(-1).cursor });
  assert.equal(rest[0].seq, first.at(-1).seq + 1);
  assert.equal(shown(rest, shown(first)), await storedText(here, id));
  await client.dispose();
});

test('a wire that is cut in mid-stream is opened again, and nothing is lost', async (t) => {
  const wire = await proxy(here.url);
  t.after(wire.close);
  const client = connect({ url: `${wire.url.replace('http', 'ws')}/graphql`, retryAttempts: 10, retryWait: () => new Promise((wake) => setTimeout(wake, 50)) });
  const id = await ask(here);
  const start = await events(client, id, { enough: (all) => all.length === 4 });
  const { seq: from, cursor: after } = start.at(-1);
  // The client subscribes again by itself, with the variables it was given: what it has seen comes again.
  let seen = from;
  let text = shown(start);
  let cuts = 0;
  for await (const { data: { messageStream: event } } of client.iterate({ query: messageStream, variables: { id, after } })) {
    if (event.__typename === 'MessageFinished') break;
    if (event.seq <= seen) continue;
    assert.equal(event.seq, seen + 1, 'no gap');
    seen = event.seq;
    text = shown([event], text);
    if (seen % 10 === 0) {
      cuts++;
      wire.cut();
      wire.mend();
    }
  }
  assert.ok(cuts > 0);
  assert.equal(text, await storedText(here, id));
  await client.dispose();
});
