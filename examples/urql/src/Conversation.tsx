// The newest conversation with a bot: what was said, what is being answered, and the next question.
import { useEffect } from 'react';
import { useMutation, useQuery } from 'urql';
import { useOffline } from '../../shared/socket';
import { Chat, Message, stageHint, type ShownMessage } from '../../shared/ui';
import { done } from './client';
import { graphql } from './gql';
import { useAnswer } from './stream';

graphql(`
  fragment MessageParts on Message {
    id role status text grounding notices
    citations { marker documentTitle pageStart quote }
    error { message retryable retryAt }
  }
`);
const Newest = graphql(`
  query Newest($botId: ID!) {
    bot(id: $botId) {
      id
      conversations(first: 1) { nodes { id messages(last: 50) { nodes { ...MessageParts } } } }
    }
  }
`);
const Send = graphql(`
  mutation Send($input: SendMessageInput!) {
    payload: sendMessage(input: $input) { conversation { id } botMessage { id } errors { message } }
  }
`);
const Stop = graphql(`
  mutation Stop($input: StopMessageInput!) { payload: stopMessage(input: $input) { message { id } errors { message } } }
`);
const Again = graphql(`
  mutation Again($input: RegenerateMessageInput!) {
    payload: regenerateMessage(input: $input) { botMessage { id } errors { message } }
  }
`);

const final = ['COMPLETED', 'STOPPED', 'FAILED', 'INTERRUPTED'];

export function Conversation({ botId }: { botId: string }) {
  const [{ data }, read] = useQuery({ query: Newest, variables: { botId } });
  const [, send] = useMutation(Send);
  const [, stop] = useMutation(Stop);
  const [, again] = useMutation(Again);
  const offline = useOffline();
  const reload = () => read({ requestPolicy: 'network-only' });
  const conversation = data?.bot?.conversations.nodes[0];
  const to = conversation ? { conversationId: conversation.id } : { botId }; // the first message begins a conversation
  return (
    <Chat
      offline={offline}
      send={async (text, clientMessageId) => {
        done(await send({ input: { ...to, text, clientMessageId } }));
        reload();
      }}
    >
      {data && !conversation && <li className="hint">Add a document, then ask something it answers.</li>}
      {conversation?.messages.nodes.map((m) =>
        final.includes(m.status)
          ? <Message key={m.id} message={m} again={() => again({ input: { messageId: m.id, clientMessageId: crypto.randomUUID() } }).then(reload)} />
          : <Running key={m.id} message={m} stop={() => stop({ input: { messageId: m.id } }).then(reload)} onFinished={reload} />,
      )}
    </Chat>
  );
}

function Running({ message, stop, onFinished }: { message: ShownMessage; stop(): void; onFinished(): void }) {
  const { text, status, finished, error } = useAnswer(message.id);
  useEffect(() => { if (finished) onFinished(); }, [finished]); // the list then has the stored message too
  if (finished) return <Message message={finished} />;
  return <Message message={{ ...message, text, status }} hint={error ?? stageHint[status]} stop={stop} />;
}
