// Following an answer while it is written: the rules of messageStream in one place.
import { useApolloClient } from '@apollo/client/react';
import { useEffect, useState } from 'react';
import { graphql } from './gql';
import type { MessageStreamSubscription } from './gql/graphql';

const MessageStream = graphql(`
  # A snapshot may be that of an answer which has ended meanwhile. Whoever shows the answer finds in the cache that it has,
  # and stops listening before the end comes: so the snapshot brings all there is to show.
  subscription MessageStream($id: ID!, $after: StreamCursor) {
    messageStream(messageId: $id, after: $after) {
      __typename
      ... on MessageSnapshot { seq cursor message { ...MessageParts } }
      ... on MessageStage { seq cursor status }
      ... on MessageDelta { seq cursor text }
      ... on MessageFinished { seq cursor message { ...MessageParts } }
    }
  }
`);

/** The states after which nothing more happens to a message. */
export const final = ['COMPLETED', 'STOPPED', 'FAILED', 'INTERRUPTED'];

/** What is shown of an answer, and the place in its stream behind that. */
type Answer = { text: string; status: string; seq: number; cursor?: string };

/** What one event does to what is shown. */
function fold(answer: Answer, event: MessageStreamSubscription['messageStream']): Answer {
  const { seq, cursor } = event;
  switch (event.__typename) {
    case 'MessageSnapshot': // the answer so far: it replaces what is shown, and may be shorter
      return { seq, cursor, text: event.message.text, status: event.message.status };
    case 'MessageFinished': // the stored message: it replaces too, nothing follows, and the stream completes
      return { seq, cursor, text: event.message.text, status: event.message.status };
  }
  // When graphql-ws opens a lost socket again, it subscribes with the cursor it was first given, and what came since
  // comes again: known by its number, since the events of an attempt count 1, 2, 3, and another begins with a snapshot.
  if (seq <= answer.seq) return answer;
  switch (event.__typename) {
    case 'MessageStage':
      return { ...answer, seq, cursor, status: event.status };
    case 'MessageDelta': // a piece: it is appended
      return { ...answer, seq, cursor, text: answer.text + event.text, status: 'STREAMING' };
    default: // a kind of event that is newer than this page
      return { ...answer, seq, cursor };
  }
}

// The place outlives a reload: the stream then goes on exactly behind the last piece that was shown. Without a place, the
// stream begins with a snapshot, which is as good; it only sends the text again.
const place = {
  key: (id: string) => `kyrochat.answer.${id}`,
  load(id: string): Answer {
    const stored = sessionStorage.getItem(place.key(id));
    return stored ? JSON.parse(stored) : { text: '', status: 'PENDING', seq: 0 };
  },
  save: (id: string, answer: Answer) => sessionStorage.setItem(place.key(id), JSON.stringify(answer)),
  drop: (id: string) => sessionStorage.removeItem(place.key(id)),
};

/**
 * Follows a running answer. Its end reaches the cache as the stored message, with citations, like every other result.
 */
export function useAnswer(id: string): Answer & { error?: string } {
  const client = useApolloClient();
  const [answer, setAnswer] = useState(() => place.load(id));
  const [error, setError] = useState<string>();

  useEffect(() => {
    let answer = place.load(id);
    const subscription = client.subscribe({ query: MessageStream, variables: { id, after: answer.cursor } }).subscribe({
      next({ data, error }) {
        if (error) setError(error.message);
        if (!data) return;
        answer = fold(answer, data.messageStream);
        setAnswer(answer);
        if (final.includes(answer.status)) place.drop(id);
        else place.save(id, answer);
      },
      error: () => setError('The stream is lost. Reload the page to go on.'),
    });
    return () => subscription.unsubscribe(); // stops listening, not the answer
  }, [client, id]);

  return { ...answer, error };
}
