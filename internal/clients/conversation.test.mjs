// A conversation in two tabs, one with graphql-ws over a wire that breaks, one with graphql-sse.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { createClient as createEventClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { proxy, world } from './world.mjs';

const here = await world({ KYRO_OFFLINE_PACE: '50ms' });
const { ada, botId, url } = here;

const query = `subscription ($id: ID!, $after: StreamCursor) {
  conversationEvents(conversationId: $id, after: $after) {
    __typename
    ... on MessageAdded { seq cursor message { id role status text } }
    ... on MessageChanged { seq cursor message { id role status text } }
    ... on ConversationChanged { seq cursor conversation { title } }
    ... on ConversationResync { seq cursor conversation { title messages(first: 50) { nodes { id role status text } } } }
  }
}`;

/** What a tab shows, made from events alone. */
function tab() {
  const shows = { title: '', messages: new Map(), seqs: [], resyncs: 0, cursor: undefined };
  const take = ({ data, errors }) => {
    assert.equal(errors, undefined);
    const event = data.conversationEvents;
    shows.seqs.push(event.seq);
    shows.cursor = event.cursor;
    if (event.conversation) shows.title = event.conversation.title;
    if (event.message) shows.messages.set(event.message.id, event.message);
    if (event.__typename !== 'ConversationResync') return;
    shows.resyncs++;
    shows.messages = new Map(event.conversation.messages.nodes.map((message) => [message.id, message]));
  };
  return { shows, take };
}

const until = async (so) => {
  while (!so()) await new Promise((wake) => setTimeout(wake, 20));
};

async function send(input) {
  const text = 'For how many days may a reader keep borrowed books?';
  const query = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { conversation { id } botMessage { id } } }';
  return (await ada.run(query, { input: { text, clientMessageId: randomUUID(), ...input } })).sendMessage;
}

test('two tabs show the same, also after a connection was lost', async (t) => {
  const wire = await proxy(url);
  t.after(wire.close);
  const { conversation: { id: conversationId }, botMessage } = await send({ botId });
  const one = tab();
  const client = createClient({
    url: `${wire.url.replace('http', 'ws')}/graphql`, webSocketImpl: WebSocket,
    connectionParams: { authorization: ada.authorization }, shouldRetry: () => true, retryAttempts: Infinity,
  });
  const variables = { id: conversationId, get after() { return one.shows.cursor; } };
  client.subscribe({ query, variables }, { next: one.take, error: () => {}, complete: () => {} });
  const other = tab();
  const events = createEventClient({ url, headers: { authorization: ada.authorization } });
  events.subscribe({ query, variables: { id: conversationId } }, { next: other.take, error: () => {}, complete: () => {} });
  t.after(() => { client.terminate(); events.dispose(); });
  const is = (id, status) => () => [one, other].every(({ shows }) => shows.messages.get(id)?.status === status);
  await until(is(botMessage.id, 'COMPLETED'));

  wire.cut();
  const second = await send({ conversationId });
  const rename = 'mutation ($input: UpdateConversationInput!) { updateConversation(input: $input) { errors { message } } }';
  await ada.run(rename, { input: { conversationId, title: 'Borrowing' } });
  await ada.run('mutation ($input: StopMessageInput!) { stopMessage(input: $input) { errors { message } } }', { input: { messageId: second.botMessage.id } });
  wire.mend();
  await until(is(second.botMessage.id, 'STOPPED'));
  await until(() => one.shows.seqs.at(-1) === other.shows.seqs.at(-1));

  assert.deepEqual([...one.shows.messages.values()], [...other.shows.messages.values()]);
  assert.equal(one.shows.messages.size, 4);
  for (const { shows } of [one, other]) {
    assert.equal(shows.title, 'Borrowing');
    assert.equal(shows.resyncs, 1, 'what was missed is told, not fetched anew');
    assert.deepEqual(shows.seqs, [...new Set(shows.seqs)].sort((a, b) => a - b));
  }
});
