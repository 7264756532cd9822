// Apollo Client with its own links, and apollo-upload-client.
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import test from 'node:test';
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, messageStream, shown, storedText, world } from './world.mjs';

const here = await world();
const { ada, url, botId } = here;
const headers = { authorization: ada.authorization };
const clientOf = (link) => new ApolloClient({ cache: new InMemoryCache(), link });
const client = clientOf(new HttpLink({ uri: url, headers }));
const codeOf = (code) => (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code === code;

test('a query fills the cache by ids', async () => {
  const { data } = await client.query({ query: gql`{ viewer { id bots { nodes { id name } } } }` });
  assert.equal(data.viewer.bots.nodes[0].name, 'Librarian');
  assert.equal(client.extract()[`Bot:${botId}`].name, 'Librarian');
});

test('a mutation updates what is cached, and tells what is wrong as data', async () => {
  const rename = gql`mutation ($input: UpdateBotInput!) { updateBot(input: $input) { bot { id name } errors { code field } } }`;
  await client.mutate({ mutation: rename, variables: { input: { botId, name: 'Renamed' } } });
  assert.equal(client.extract()[`Bot:${botId}`].name, 'Renamed');
  const { data } = await client.mutate({ mutation: rename, variables: { input: { botId, name: '' } } });
  assert.equal(data.updateBot.bot, null);
  assert.equal(data.updateBot.errors[0].code, 'VALIDATION');
});

test('errors reach the client with their codes', async () => {
  const bot = gql`query ($id: ID!) { bot(id: $id) { id } }`;
  await assert.rejects(client.query({ query: bot, variables: { id: 'bot_999999' } }), codeOf('NOT_FOUND'));
  await assert.rejects(client.query({ query: bot, variables: { id: 'nonsense' } }), codeOf('BAD_USER_INPUT'));
  await assert.rejects(client.query({ query: gql`{ nothing }` }), codeOf('GRAPHQL_VALIDATION_FAILED'));
  const stranger = clientOf(new HttpLink({ uri: url }));
  await assert.rejects(stranger.query({ query: bot, variables: { id: botId } }), codeOf('UNAUTHENTICATED'));
});

test('a file is uploaded', async () => {
  const uploader = clientOf(new UploadHttpLink({ uri: url, headers: { ...headers, 'apollo-require-preflight': 'true' } }));
  const upload = gql`mutation ($input: UploadDocumentInput!) { uploadDocument(input: $input) { document { fileName sizeBytes } errors { code } } }`;
  const file = new File(['Lamps are lent at the desk.'], 'lamps.txt', { type: 'text/plain' });
  const { data } = await uploader.mutate({ mutation: upload, variables: { input: { botId, file } } });
  assert.deepEqual({ ...data.uploadDocument.document, __typename: 0 }, { fileName: 'lamps.txt', sizeBytes: 27, __typename: 0 });
});

test('a subscription streams by GraphQLWsLink', async () => {
  const socket = createClient({ url: here.socketUrl, webSocketImpl: WebSocket, connectionParams: headers });
  const id = await ask(here);
  const events = [];
  await new Promise((resolve, reject) => {
    const stream = clientOf(new GraphQLWsLink(socket)).subscribe({ query: gql(messageStream), variables: { id } });
    stream.subscribe({ next: ({ data, error }) => (error ? reject(error) : events.push(data.messageStream)), error: reject, complete: resolve });
  });
  assert.equal(shown(events), await storedText(here, id));
  assert.equal(events.at(-1).__typename, 'MessageFinished');
  await socket.dispose();
});

test('a document is sent once, and then its hash alone, also by GET', async () => {
  for (const useGETForHashedQueries of [false, true]) {
    const sent = [];
    const fetchNoted = (uri, options) => {
      sent.push(options.method + (`${uri}${options.body ?? ''}`.includes('query=') || options.body?.includes('"query"') ? ' text' : ' hash'));
      return fetch(uri, options);
    };
    const persisted = clientOf(ApolloLink.from([
      new PersistedQueryLink({ sha256: (text) => createHash('sha256').update(text).digest('hex'), useGETForHashedQueries }),
      new HttpLink({ uri: url, headers, fetch: fetchNoted }),
    ]));
    const query = gql(`query Q${randomUUID().slice(0, 8)} { viewer { name } }`);
    for (let i = 0; i < 2; i++) {
      const { data } = await persisted.query({ query, fetchPolicy: 'network-only' });
      assert.equal(data.viewer.name, 'Ada');
    }
    const hashed = useGETForHashedQueries ? 'GET hash' : 'POST hash';
    assert.deepEqual(sent, [hashed, 'POST text', hashed]);
  }
});
