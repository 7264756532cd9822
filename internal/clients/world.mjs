// A server with a person in it who has a bot that has read something: what every test of a client begins with.
import { randomUUID } from 'node:crypto';
import { after } from 'node:test';
import { start } from '../../examples/check/server.mjs';

export { proxy } from '../../examples/check/proxy.mjs';

const handbook = `# Handbook of the Harbour Library

Every reader may borrow up to twelve books at a time, and each of them for twenty-eight days from the day on which it was taken
home, Sundays and public holidays included, unless another reader has reserved it.

Returned books belong in the green box beside the north door, which is emptied every evening at eight.
`;

/** Starts a server that ends with the tests of the file. Its answers take about a second. */
export async function world(settings) {
  const server = await start({ KYRO_OFFLINE_PACE: '25ms', ...settings });
  after(server.stop);
  const { url } = server;
  const ada = await person(url);
  const { createBot } = await ada.run('mutation { createBot(input: { name: "Librarian" }) { bot { id } } }');
  const botId = createBot.bot.id;
  const add = 'mutation ($input: AddTextDocumentInput!) { addTextDocument(input: $input) { document { id } } }';
  const { addTextDocument } = await ada.run(add, { input: { botId, title: 'Handbook', text: handbook } });
  await ready(ada, addTextDocument.document.id);
  return { url, socketUrl: url.replace('http', 'ws'), ada, botId };
}

/** Signs somebody up, who can then run operations. */
export async function person(url) {
  const run = async (query, variables, token) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  };
  const signUp = 'mutation ($input: RegisterUserInput!) { registerUser(input: $input) { accessToken refreshToken } }';
  const input = { name: 'Ada', email: `${randomUUID()}@example.com`, password: 'correct horse battery' };
  let { accessToken, refreshToken } = (await run(signUp, { input })).registerUser;
  const refresh = async () => {
    const query = 'mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { accessToken refreshToken } }';
    ({ accessToken, refreshToken } = (await run(query, { input: { refreshToken } })).refreshSession);
  };
  return {
    refresh,
    get authorization() { return `Bearer ${accessToken}`; },
    async run(query, variables) {
      try {
        return await run(query, variables, accessToken);
      } catch (error) {
        if (!error.message.includes('UNAUTHENTICATED')) throw error;
        await refresh();
        return run(query, variables, accessToken);
      }
    },
  };
}

/** Waits until a document can be asked about. */
export async function ready(ada, id) {
  for (;;) {
    const { document } = await ada.run('query ($id: ID!) { document(id: $id) { status statusReason } }', { id });
    if (document.status === 'READY') return;
    if (document.status === 'FAILED') throw new Error(document.statusReason);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** Asks the bot something, and gives the id of the answer to come. */
export async function ask({ ada, botId }, text = 'For how many days may a reader keep borrowed books?') {
  const send = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { botMessage { id } } }';
  const { sendMessage } = await ada.run(send, { input: { botId, text, clientMessageId: randomUUID() } });
  return sendMessage.botMessage.id;
}

/** The text of an answer as it is stored. */
export const storedText = async ({ ada }, id) => (await ada.run('query ($id: ID!) { message(id: $id) { text } }', { id })).message.text;

export const messageStream = `subscription ($id: ID!, $after: StreamCursor) {
  messageStream(messageId: $id, after: $after) {
    __typename
    ... on MessageSnapshot { seq cursor message { text } }
    ... on MessageStage { seq cursor status }
    ... on MessageDelta { seq cursor text }
    ... on MessageFinished { seq cursor message { text citations { quote } } }
  }
}`;

/** What a reader shows after these events, by the rules of messageStream. */
export function shown(events, text = '') {
  for (const event of events) {
    if (event.__typename === 'MessageSnapshot') text = event.message.text;
    if (event.__typename === 'MessageDelta') text += event.text;
  }
  return text;
}
