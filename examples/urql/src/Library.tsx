// The documents of a bot, and how far they have come.
import { useMutation, useQuery, useSubscription } from 'urql';
import { useReconnected } from '../../shared/socket';
import { Documents } from '../../shared/ui';
import { done } from './client';
import { graphql } from './gql';
import type { DocumentPartsFragment } from './gql/graphql';

graphql(`
  fragment DocumentParts on Document { id title statusReason progress { status percent retryAt updatedAt } }
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

/** The list may be older than an event that came before it. */
const newer = (listed: DocumentPartsFragment, told?: DocumentPartsFragment) =>
  told && told.progress.updatedAt > listed.progress.updatedAt ? told : listed;

export function Library({ botId }: { botId: string }) {
  const [{ data }, reload] = useQuery({ query: LibraryOfBot, variables: { botId } });
  const [, upload] = useMutation(Upload);
  const [{ data: news = {} }] = useSubscription(
    { query: Progress, variables: { botId } },
    (news: News = {}, { documentProgress: { documentId, document } }) => (document ? { ...news, [documentId]: document } : news),
  );
  // A new subscription tells of unfinished documents only: the others are read again.
  useReconnected(() => reload({ requestPolicy: 'network-only' }));
  return (
    <Documents
      documents={(data?.bot?.documents.nodes ?? []).map((d) => newer(d, news[d.id]))}
      upload={async (file) => {
        done(await upload({ input: { botId, file } }));
        reload({ requestPolicy: 'network-only' });
      }}
    />
  );
}
