import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-ws';

const shownEvents = 100; // of one subscription, the newest

// createFetcher gives what runs GraphiQL's operations: subscriptions over a websocket, everything else by POST. The
// headers of the tab go along with both. onToken gets the access token where an answer signs somebody in.
export function createFetcher(url, onToken) {
  return (params, { headers = {}, documentAST } = {}) => {
    const operation = documentAST && getOperationAST(documentAST, params.operationName);
    return operation?.operation === 'subscription' ? follow(url, params, headers) : post(url, params, headers, onToken);
  };
}

async function post(url, params, headers, onToken) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json, application/json;q=0.9', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(params),
  });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`The server answered ${response.status} without GraphQL: ${text.slice(0, 200)}`);
  }
  const token = Object.values(answer.data ?? {}).find((payload) => payload?.accessToken)?.accessToken;
  if (token) onToken(token);
  return answer;
}

// follow opens a socket of its own for each subscription, so that each has the headers as they are now. GraphiQL shows
// one value, and a stream is more than its newest event: the value grows.
function follow(url, params, headers) {
  return {
    subscribe(observer) {
      const client = createClient({
        url: url.replace(/^http/, 'ws'),
        connectionParams: headers,
        retryAttempts: 3,
        shouldRetry: (reason) => reason instanceof CloseEvent && reason.code !== 4403, // it would be the same token again
      });
      let events = [];
      let earlier = 0;
      const stop = client.subscribe(params, {
        next(event) {
          events = [...events, event];
          if (events.length > shownEvents) {
            events.shift();
            earlier++;
          }
          observer.next(earlier ? { earlier, events } : { events });
        },
        error: (reason) => observer.error(readable(reason)),
        complete: () => observer.complete(),
      });
      return { unsubscribe: stop };
    },
  };
}

// readable makes errors of what graphql-ws gives: the list of an error message, or the end of the socket.
function readable(reason) {
  if (reason instanceof CloseEvent) {
    return new Error(`The socket was closed: ${reason.code} ${reason.reason}`.trim());
  }
  return reason instanceof Event ? new Error('The socket could not be opened.') : reason;
}
