// The newest conversation with a bot: what was said, what is being answered, and the next question.
import { useMutation, useQuery } from '@apollo/client/react';
import { useOffline } from '../../shared/socket';
import { Chat, Message, stageHint, type ShownMessage } from '../../shared/ui';
import { done } from './client';
import { graphql } from './gql';
import { final, useAnswer } from './stream';

graphql(`
  fragment MessageParts on Message {
    id role status text grounding notices
    citations { marker documentTitle pageStart quote }
    error { message retryable retryAt }
  }
`);
graphql(`
  fragment NewestConversation on Bot {
    id
    conversations(first: 1) { nodes { id messages(last: 50) { nodes { ...MessageParts } } } }
  }
`);
const Newest = graphql(`query Newest($botId: ID!) { bot(id: $botId) { ...NewestConversation } }`);
// Mutations ask for what they change, and the cache takes it from there to whoever shows it.
const Send = graphql(`
  mutation Send($input: SendMessageInput!) {
    sendMessage(input: $input) { conversation { id bot { ...NewestConversation } } errors { message } }
  }
`);
const Stop = graphql(`
  mutation Stop($input: StopMessageInput!) {
    stopMessage(input: $input) { message { ...MessageParts } errors { message } }
  }
`);
const Again = graphql(`
  mutation Again($input: RegenerateMessageInput!) {
    regenerateMessage(input: $input) { conversation { id bot { ...NewestConversation } } errors { message } }
  }
`);

export function Conversation({ botId }: { botId: string }) {
  const { data } = useQuery(Newest, { variables: { botId } });
  const [send] = useMutation(Send);
  const [again] = useMutation(Again);
  const offline = useOffline();
  const conversation = data?.bot?.conversations.nodes[0];
  const to = conversation ? { conversationId: conversation.id } : { botId }; // the first message begins a conversation
  return (
    <Chat
      offline={offline}
      send={async (text, clientMessageId) => void done((await send({ variables: { input: { ...to, text, clientMessageId } } })).data?.sendMessage)}
    >
      {data && !conversation && <li className="hint">Add a document, then ask something it answers.</li>}
      {conversation?.messages.nodes.map((m) =>
        final.includes(m.status)
          ? <Message key={m.id} message={m} again={() => again({ variables: { input: { messageId: m.id, clientMessageId: crypto.randomUUID() } } }).catch(() => {})} />
          : <Running key={m.id} message={m} />,
      )}
    </Chat>
  );
}

// Without a connection neither button does anything, and the banner says why.
function Running({ message }: { message: ShownMessage }) {
  const { text, status, error } = useAnswer(message.id);
  const [stop] = useMutation(Stop, { variables: { input: { messageId: message.id } } });
  return <Message message={{ ...message, text, status }} hint={error ?? stageHint[status]} stop={() => stop().catch(() => {})} />;
}
