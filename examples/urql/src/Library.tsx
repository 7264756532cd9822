// The documents of a bot, and how far they have come.
import { useState } from 'react';
import { useMutation, useQuery, useSubscription } from 'urql';
import { Documents } from '../../shared/ui';
import { done } from './client';
import { graphql } from './gql';
import type { DocumentPartsFragment } from './gql/graphql';

graphql(`
  fragment DocumentParts on Document { id title status statusReason progress { percent } }
`);
const LibraryOfBot = graphql(`
  query LibraryOfBot($botId: ID!) {
    bot(id: $botId) { id documents(first: 20) { nodes { ...DocumentParts } } }
  }
`);
const Upload = graphql(`
  mutation Upload($input: UploadDocumentInput!) {
    payload: uploadDocument(input: $input) { document { ...DocumentParts } errors { message } }
  }
`);
const Progress = graphql(`
  subscription Progress($botId: ID!) {
    documentProgress(botId: $botId) { documentId document { ...DocumentParts } }
  }
`);

type News = Record<string, DocumentPartsFragment>;

export function Library({ botId }: { botId: string }) {
  const [{ data }, reload] = useQuery({ query: LibraryOfBot, variables: { botId } });
  const [, upload] = useMutation(Upload);
  // The newest state of each document goes over the one that was read with the list.
  const [{ data: news = {} }] = useSubscription({ query: Progress, variables: { botId } }, (news: News = {}, { documentProgress: { documentId, document } }) =>
    document ? { ...news, [documentId]: document } : news,
  );
  return (
    <Documents
      documents={(data?.bot?.documents.nodes ?? []).map((d) => news[d.id] ?? d)}
      upload={async (file) => {
        done(await upload({ input: { botId, file } }));
        reload({ requestPolicy: 'network-only' });
      }}
    />
  );
}
