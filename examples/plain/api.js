// GraphQL by fetch alone: operations, uploads, and subscriptions as server-sent events.
import { endpoint, freshToken, heldToken } from '../shared/session.js';

/** Runs a query or mutation and gives its data. A File as `file` of the variable `input` is uploaded. */
export async function run(query, variables = {}) {
  const token = await freshToken();
  let { data, errors } = await post(query, variables, token);
  if (isRefused(errors)) ({ data, errors } = await post(query, variables, await freshToken(token)));
  if (errors) throw new Error(errors[0].message);
  return data;
}

/** Runs a mutation of one field and gives its payload, whose list of errors is empty. */
export async function change(mutation, input) {
  const [payload] = Object.values(await run(mutation, { input }));
  if (payload.errors?.length > 0) throw new Error(payload.errors.map((e) => e.message).join(' '));
  return payload;
}

const isRefused = (errors) => errors?.some((e) => e.extensions?.code === 'UNAUTHENTICATED');

const authorization = (token) => (token ? { authorization: `Bearer ${token}` } : {});

async function post(query, variables, token) {
  const headers = authorization(token);
  const file = variables.input?.file;
  let body = JSON.stringify({ query, variables });
  if (file instanceof File) {
    // The multipart request specification: the operation with null for the file, where the file belongs, the file.
    const form = new FormData();
    form.append('operations', JSON.stringify({ query, variables: { input: { ...variables.input, file: null } } }));
    form.append('map', JSON.stringify({ 0: ['variables.input.file'] }));
    form.append('0', file);
    body = form;
    headers['apollo-require-preflight'] = 'true'; // which no other site can send
  } else {
    headers['content-type'] = 'application/json';
  }
  const response = await send({ method: 'POST', headers, body });
  return response.json();
}

const send = (request) =>
  fetch(endpoint, request).catch((cause) => {
    throw new Error('The server cannot be reached.', { cause });
  });

/** A stream that ended before the server said so. */
export class Lost extends Error {}

/**
 * Runs a subscription and yields its results until the server completes it. Throws Lost where the connection goes, so that
 * the caller can come back, and calls opened once it is there. The id of the last event is kept in place: whoever comes
 * back with it gets what comes behind it, whatever the variables say. (It is what an EventSource does by itself; but
 * that of browsers sends no Authorization header.)
 */
export async function* subscribe(query, variables, place, signal, opened) {
  const token = await freshToken().catch(heldToken); // where it cannot be had, the connection cannot either
  const headers = { ...authorization(token), 'content-type': 'application/json', accept: 'text/event-stream' };
  if (place.id) headers['last-event-id'] = place.id;
  try {
    const response = await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify({ query, variables }), signal });
    if (response.status === 429 || response.status >= 500) throw new Lost(); // not now
    if (!response.ok) throw new Error((await response.json()).errors[0].message);
    opened();
    let event = '';
    let id;
    for await (const line of lines(response.body)) {
      if (line.startsWith('event:')) event = line.slice(6).trim();
      if (line.startsWith('id:')) id = line.slice(3).trim();
      if (event === 'complete') return;
      if (event === 'next' && line.startsWith('data:')) {
        const { data, errors } = JSON.parse(line.slice(5));
        if (isRefused(errors)) {
          await freshToken(token);
          throw new Lost();
        }
        if (errors) throw new Error(errors[0].message);
        place.id = id; // now that the event is here as a whole
        yield data;
      }
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // fetch throws TypeErrors where the network fails
  }
  throw new Lost();
}

async function* lines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    const complete = (rest + chunk.value).split('\n');
    rest = complete.pop();
    yield* complete;
  }
}
