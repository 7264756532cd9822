// Apollo Client: queries, mutations and uploads by HTTP, subscriptions by websocket, and a fresh token for both.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, InMemoryCache } from '@apollo/client';
import { SetContextLink } from '@apollo/client/link/context';
import { ErrorLink } from '@apollo/client/link/error';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { OperationTypeNode } from 'graphql';
import { from, switchMap } from 'rxjs';
import { endpoint, freshToken } from '../../shared/session.js';
import { socket } from '../../shared/socket';

const authorize = new SetContextLink(async ({ headers }) => {
  const token = await freshToken();
  return { headers: token ? { ...headers, authorization: `Bearer ${token}` } : headers };
});

/** Sends once more with another token where the one that was sent was refused. */
const retryRefused = new ErrorLink(({ error, operation, forward }) => {
  if (!CombinedGraphQLErrors.is(error) || !error.errors.some((e) => e.extensions?.code === 'UNAUTHENTICATED')) return;
  const refused = operation.getContext().headers?.authorization?.replace('Bearer ', '');
  return from(freshToken(refused)).pipe(switchMap(() => forward(operation)));
});

// Multipart requests need a header that no other site can send.
const http = new UploadHttpLink({ uri: endpoint, headers: { 'apollo-require-preflight': 'true' } });

export const client = new ApolloClient({
  cache: new InMemoryCache({
    typePolicies: {
      // The answer to a query may be older than an event that came before it.
      Document: { fields: { progress: { merge: (old, now) => (old && old.updatedAt > now.updatedAt ? old : now) } } },
    },
  }),
  link: ApolloLink.split(
    ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
    new GraphQLWsLink(socket),
    ApolloLink.from([retryRefused, authorize, http]),
  ),
});

/** Gives a payload whose list of errors is empty, or throws what people can be told. */
export function done<Payload extends { errors: { message: string }[] }>(payload: Payload | undefined): Payload {
  if (!payload) throw new Error('The server gave no answer.');
  if (payload.errors.length > 0) throw new Error(payload.errors.map((e) => e.message).join(' '));
  return payload;
}
