// What examples/README.md says of going on after a lost connection, run as it is written there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { EventSource } from 'eventsource';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { ask, messageStream, proxy, shown, storedText, world } from './world.mjs';

globalThis.WebSocket ??= WebSocket; // which Node 20 does not have

const here = await world({ KYRO_OFFLINE_PACE: '100ms' });
const manual = readFileSync(new URL('../../examples/README.md', import.meta.url), 'utf8');
const lines = [...manual.matchAll(/```js[^\n]*\n(.*?)```/gs)].map(([, code]) => code);

/** Runs those lines of the manual that hold a word, for an answer, with the names they use but do not declare. */
function run(word, id, names) {
  const code = lines.find((each) => each.includes(word)).replace(/^import .*$/m, '').replace('msg_42', id);
  const AsyncFunction = (async () => {}).constructor;
  return new AsyncFunction(...Object.keys(names), code)(...Object.values(names));
}

/** Takes events, and cuts the wire after some of them. */
function reader(wire, cuts) {
  const events = [];
  let end;
  const finished = new Promise((resolve) => { end = resolve; });
  const show = (event) => {
    events.push(event);
    if (event.__typename === 'MessageFinished') end();
    if (!cuts.includes(events.length)) return;
    wire.cut();
    wire.mend();
  };
  return { events, finished, show };
}

async function eachOnce(events, id) {
  assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => events[0].seq + i));
  assert.equal(events.filter((e) => e.__typename === 'MessageSnapshot').length, 1);
  assert.equal(events.at(-1).__typename, 'MessageFinished');
  assert.equal(shown(events), await storedText(here, id));
}

test('the lines for a websocket go on where they were', async (t) => {
  const wire = await proxy(here.url);
  t.after(wire.close);
  const id = await ask(here);
  const { events, show } = reader(wire, [3, 9]);
  const connectionParams = { authorization: here.ada.authorization };
  await run('createClient', id, { createClient, url: `${wire.url.replace('http', 'ws')}/graphql`, connectionParams, messageStream, show });
  await eachOnce(events, id);
});

test('the lines for an event source go on where they were', async (t) => {
  const wire = await proxy(here.url);
  t.after(wire.close);
  const id = await ask(here);
  const { events, show, finished } = reader(wire, [3, 9]);
  const freshToken = async () => here.ada.authorization.replace('Bearer ', '');
  await run('new EventSource', id, { EventSource, url: `${wire.url}/graphql`, messageStream, freshToken, show });
  await finished;
  await eachOnce(events, id);
});
