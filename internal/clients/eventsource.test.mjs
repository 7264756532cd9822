// The eventsource package: the EventSource of browsers, which can send a header besides.
import assert from 'node:assert/strict';
import test from 'node:test';
import { EventSource } from 'eventsource';
import { ask, proxy, shown, storedText, world } from './world.mjs';

const here = await world({ KYRO_OFFLINE_PACE: '100ms' }); // so that an answer outlives several reconnections, of a second each
const { ada, url } = here;

// Without cursors: the ids of events are enough.
const query = `subscription ($id: ID!) {
  messageStream(messageId: $id) {
    __typename
    ... on MessageSnapshot { seq message { text } }
    ... on MessageStage { seq }
    ... on MessageDelta { seq text }
    ... on MessageFinished { seq message { text } }
  }
}`;

/** Opens an event source on an operation, with the token and whatever id it is to begin behind. */
function open(base, query, variables, lastId) {
  const address = `${base}?${new URLSearchParams({ query, variables: JSON.stringify(variables) })}`;
  return new EventSource(address, {
    fetch: (input, init) =>
      fetch(input, { ...init, headers: { ...(lastId && { 'last-event-id': lastId }), ...init.headers, authorization: ada.authorization } }),
  });
}

/** Follows an answer until the server completes it, and calls seen with what has come so far. */
function follow(source, seen = () => {}) {
  const events = [];
  return new Promise((resolve, reject) => {
    source.addEventListener('next', ({ data, lastEventId }) => {
      const { data: result, errors } = JSON.parse(data);
      if (errors) return reject(new Error(JSON.stringify(errors)));
      events.push({ ...result.messageStream, id: lastEventId });
      seen(events);
    });
    source.addEventListener('complete', () => {
      source.close(); // else it would come back, as to every stream that ends
      resolve(events);
    });
    source.addEventListener('error', (error) => source.readyState === EventSource.CLOSED && reject(error));
  });
}

test('over a wire that is cut again and again, each event comes once', async (t) => {
  const wire = await proxy(url);
  t.after(wire.close);
  const id = await ask(here);
  const cuts = [2, 14, 26];
  let opened = 0;
  const source = open(`${wire.url}/graphql`, query, { id });
  source.addEventListener('open', () => opened++);
  const all = await follow(source, (all) => {
    if (all.length < cuts[0]) return;
    cuts.shift();
    wire.cut();
    wire.mend();
  });
  // Who has the end, but was cut off before the stream was complete, gets the end again, and nothing else.
  const events = all.filter((e, i) => e.__typename !== 'MessageFinished' || all[i - 1]?.id !== e.id);
  assert.ok(opened > 2, `opened ${opened} times`);
  const first = events[0].seq;
  assert.deepEqual(events.map((e) => e.seq), events.map((_, i) => first + i));
  assert.equal(events.filter((e) => e.__typename === 'MessageSnapshot').length, 1);
  assert.equal(events.filter((e) => e.__typename === 'MessageFinished').length, 1);
  assert.equal(shown(events), await storedText(here, id));
});

test('an answer streams to its end, and behind that the end is all that comes', async () => {
  const id = await ask(here);
  const all = await follow(open(url, query, { id }));
  assert.equal(shown(all), await storedText(here, id));
  assert.equal(all.at(-1).__typename, 'MessageFinished');
  const again = await follow(open(url, query, { id }, all.at(-1).id));
  assert.deepEqual(again.map((e) => e.__typename), ['MessageFinished']);
});
