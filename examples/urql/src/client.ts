// urql: queries, mutations and uploads by HTTP, subscriptions by websocket, and a fresh token for both.
import { authExchange } from '@urql/exchange-auth';
import { Client, cacheExchange, fetchExchange, subscriptionExchange, type CombinedError } from 'urql';
import { endpoint, freshToken, heldToken, isStale } from '../../shared/session.js';
import { socket } from '../../shared/socket';

export const makeClient = () =>
  new Client({
    url: endpoint,
    preferGetMethod: false,
    // Uploads need a header that no other site can send.
    fetchOptions: { headers: { 'apollo-require-preflight': 'true' } },
    exchanges: [
      cacheExchange,
      authExchange(async ({ appendHeaders }) => {
        let refused: string | undefined;
        return {
          addAuthToOperation(operation) {
            const token = heldToken();
            return token ? appendHeaders(operation, { authorization: `Bearer ${token}` }) : operation;
          },
          willAuthError: () => isStale(),
          didAuthError(error, { context }) {
            if (!error.graphQLErrors.some((e) => e.extensions.code === 'UNAUTHENTICATED')) return false;
            const { headers } = context.fetchOptions as { headers: Record<string, string> };
            refused = headers.authorization?.replace('Bearer ', '');
            return true;
          },
          refreshAuth: async () => void (await freshToken(refused)),
        };
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query, variables }) => ({
          subscribe: (sink) => ({ unsubscribe: socket.subscribe({ query: query!, variables }, sink) }),
        }),
      }),
    ],
  });

type Payload = { errors: { message: string }[] };

/** Gives a payload whose list of errors is empty, or throws what people can be told. */
export function done<P extends Payload>({ error, data }: { error?: CombinedError; data?: { payload: P } }): P {
  if (error) throw new Error(error.graphQLErrors[0]?.message ?? 'The server cannot be reached.');
  const { payload } = data!;
  if (payload.errors.length > 0) throw new Error(payload.errors.map((e) => e.message).join(' '));
  return payload;
}
