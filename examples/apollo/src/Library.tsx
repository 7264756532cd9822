// The documents of a bot, and how far they have come.
import { useMutation, useQuery, useSubscription } from '@apollo/client/react';
import { useReconnected } from '../../shared/socket';
import { Documents } from '../../shared/ui';
import { done } from './client';
import { graphql } from './gql';

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
    uploadDocument(input: $input) { document { ...DocumentParts } errors { message } }
  }
`);
const Progress = graphql(`
  subscription Progress($botId: ID!) {
    documentProgress(botId: $botId) { documentId document { ...DocumentParts } }
  }
`);

export function Library({ botId }: { botId: string }) {
  const { data, refetch } = useQuery(LibraryOfBot, { variables: { botId } });
  const [upload] = useMutation(Upload, { refetchQueries: [LibraryOfBot] });
  // Each event holds the document, and the cache knows documents by their ids: there is nothing to do with it here.
  useSubscription(Progress, { variables: { botId }, ignoreResults: true });
  // A new subscription tells of unfinished documents only: the others are read again.
  useReconnected(() => void refetch());
  return (
    <Documents
      documents={data?.bot?.documents.nodes ?? []}
      upload={async (file) => void done((await upload({ variables: { input: { botId, file } } })).data?.uploadDocument)}
    />
  );
}
