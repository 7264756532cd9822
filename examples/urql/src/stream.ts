// Following an answer while it is written: the rules of messageStream in one place.
import { useEffect, useState } from 'react';
import { useClient } from 'urql';
import { graphql } from './gql';
import type { MessagePartsFragment, MessageStreamSubscription } from './gql/graphql';

const MessageStream = graphql(`
  subscription MessageStream($id: ID!, $after: StreamCursor) {
    messageStream(messageId: $id, after: $after) {
      __typename
      ... on MessageSnapshot { seq cursor message { id status text } }
      ... on MessageStage { seq cursor status }
      ... on MessageDelta { seq cursor text }
      ... on MessageFinished { seq cursor message { ...MessageParts } }
    }
  }
`);

/** What is shown of an answer, and the place in its stream behind that. */
type Answer = { text: string; status: string; seq: number; cursor?: string; finished?: MessagePartsFragment };

/** What one event does to what is shown. */
function fold(answer: Answer, event: MessageStreamSubscription['messageStream']): Answer {
  const { seq, cursor } = event;
  switch (event.__typename) {
    case 'MessageSnapshot': // the answer so far: it replaces what is shown, and may be shorter
      return { seq, cursor, text: event.message.text, status: event.message.status };
    case 'MessageFinished': // the stored message: it replaces too, nothing follows, and the stream completes
      return { seq, cursor, text: event.message.text, status: event.message.status, finished: event.message };
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

/** Follows a running answer; finished is the stored message, with citations, once it has come. */
export function useAnswer(id: string): Answer & { error?: string } {
  const client = useClient();
  const [answer, setAnswer] = useState(() => place.load(id));
  const [error, setError] = useState<string>();

  useEffect(() => {
    let answer = place.load(id);
    const stream = client.subscription(MessageStream, { id, after: answer.cursor });
    const { unsubscribe } = stream.subscribe(({ data, error }) => {
      if (error) setError(error.graphQLErrors[0]?.message ?? 'The stream is lost. Reload the page to go on.');
      if (!data) return;
      answer = fold(answer, data.messageStream);
      setAnswer(answer);
      if (answer.finished) place.drop(id);
      else place.save(id, answer);
    });
    return unsubscribe; // stops listening, not the answer
  }, [client, id]);

  return { ...answer, error };
}
