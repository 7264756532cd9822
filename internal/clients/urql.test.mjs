// urql's core, which its React, Vue and Svelte bindings share.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import test from 'node:test';
import { cacheExchange, Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, messageStream, shown, storedText, world } from './world.mjs';

const here = await world();
const { ada, url, botId } = here;
const headers = { authorization: ada.authorization, 'apollo-require-preflight': 'true' };
const clientOf = (options = {}) =>
  new Client({ url, preferGetMethod: false, fetchOptions: { headers }, exchanges: [cacheExchange, fetchExchange], ...options });

/** Collects the events of an answer until the stream completes. */
async function events(client, id) {
  const all = [];
  await new Promise((resolve, reject) => {
    client.subscription(gql(messageStream), { id }).subscribe(({ data, error, hasNext }) => {
      if (error) return reject(error);
      if (data && data.messageStream !== all.at(-1)) all.push(data.messageStream);
      if (!hasNext) resolve();
    });
  });
  return all;
}

test('queries run by POST and by GET', async () => {
  for (const preferGetMethod of [false, 'force']) {
    const fetchNoted = async (uri, options) => {
      const response = await fetch(uri, options);
      assert.equal(options.method, preferGetMethod ? 'GET' : 'POST');
      assert.match(response.headers.get('content-type'), /^application\/graphql-response\+json/, 'not the event stream that urql takes too');
      return response;
    };
    const { data, error } = await clientOf({ preferGetMethod, fetch: fetchNoted }).query(gql`{ viewer { name } }`, {});
    assert.equal(error, undefined);
    assert.equal(data.viewer.name, 'Ada');
  }
});

test('a mutation tells what is wrong as data, and errors come with their codes', async () => {
  const client = clientOf();
  const create = gql`mutation ($name: String!) { createBot(input: { name: $name }) { bot { name } errors { code } } }`;
  const { data } = await client.mutation(create, { name: '' });
  assert.equal(data.createBot.errors[0].code, 'VALIDATION');
  assert.equal((await client.mutation(create, { name: 'Third' })).data.createBot.bot.name, 'Third');
  const { error } = await client.query(gql`{ bot(id: "bot_999999") { id } }`, {});
  assert.equal(error.graphQLErrors[0].extensions.code, 'NOT_FOUND');
  const invalid = await client.query('{ nothing }', {});
  assert.equal(invalid.error.graphQLErrors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
});

test('a file is uploaded', async () => {
  const upload = gql`mutation ($input: UploadDocumentInput!) { uploadDocument(input: $input) { document { fileName } errors { code } } }`;
  const file = new File(['Lamps are lent at the desk.'], 'lamps.txt', { type: 'text/plain' });
  const { data, error } = await clientOf().mutation(upload, { input: { botId, file } });
  assert.equal(error, undefined);
  assert.equal(data.uploadDocument.document.fileName, 'lamps.txt');
});

test('a subscription streams by graphql-ws', async () => {
  const socket = createClient({ url: here.socketUrl, webSocketImpl: WebSocket, connectionParams: headers });
  const forwardSubscription = ({ query, variables }) => ({
    subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query, variables }, sink) }),
  });
  const id = await ask(here);
  const all = await events(clientOf({ exchanges: [subscriptionExchange({ forwardSubscription })] }), id);
  assert.equal(shown(all), await storedText(here, id));
  assert.equal(all.at(-1).__typename, 'MessageFinished');
  await socket.dispose();
});

test('a subscription streams by server-sent events', async () => {
  const id = await ask(here);
  const all = await events(clientOf({ fetchSubscriptions: true }), id);
  assert.equal(shown(all), await storedText(here, id));
  assert.equal(all.at(-1).__typename, 'MessageFinished');
});

test('a document is sent once, and then its hash alone, also by GET', async () => {
  for (const preferGetForPersistedQueries of [false, 'force']) {
    const sent = [];
    const fetchNoted = (uri, options) => {
      sent.push(options.method + (uri.includes('query=') || options.body?.includes('"query":"') ? ' text' : ' hash'));
      return fetch(uri, options);
    };
    const client = clientOf({ fetch: fetchNoted, exchanges: [persistedExchange({ preferGetForPersistedQueries }), fetchExchange] });
    const query = gql(`query Q${randomUUID().slice(0, 8)} { viewer { name } }`);
    for (let i = 0; i < 2; i++) {
      const { data, error } = await client.query(query, {}, { requestPolicy: 'network-only' });
      assert.equal(error, undefined);
      assert.equal(data.viewer.name, 'Ada');
    }
    assert.equal(sent.length, 3, sent.join());
    assert.equal(sent[0], sent[2]);
    assert.match(sent[0], / hash$/);
    assert.match(sent[1], / text$/);
  }
});
