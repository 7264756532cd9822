// Following an answer while it is written: the rules of messageStream in one place.
import { Lost, subscribe } from './api.js';

const MessageStream = `subscription ($id: ID!, $after: StreamCursor) {
  messageStream(messageId: $id, after: $after) {
    __typename
    ... on MessageSnapshot { cursor message { status text } }
    ... on MessageStage { cursor status }
    ... on MessageDelta { cursor text }
    ... on MessageFinished { cursor message { id role status text grounding notices citations { marker documentTitle pageStart quote } error { message retryable retryAt } } }
  }
}`;

/** What one event does to what is shown. The cursor is the place behind it. */
function fold(answer, { __typename: kind, cursor, text, status, message }) {
  switch (kind) {
    case 'MessageSnapshot': // the answer so far: it replaces what is shown, and may be shorter
      return { cursor, text: message.text, status: message.status };
    case 'MessageStage':
      return { ...answer, cursor, status };
    case 'MessageDelta': // a piece: it is appended
      return { cursor, text: answer.text + text, status: 'STREAMING' };
    case 'MessageFinished': // the stored message, with citations: it replaces too, and nothing follows
      return { cursor, text: message.text, status: message.status, finished: message };
    default: // a kind of event that is newer than this page
      return { ...answer, cursor };
  }
}

// The place outlives a reload: the stream then goes on exactly behind the last piece that was shown. Without a place, the
// stream begins with a snapshot, which is as good; it only sends the text again.
const key = (id) => `kyrochat.answer.${id}`;
const load = (id) => JSON.parse(sessionStorage.getItem(key(id))) ?? { text: '', status: 'PENDING' };

/** Yields what to show of a running answer, again and again until it is finished, over lost connections too. */
export async function* follow(id, signal) {
  let answer = load(id);
  yield answer;
  for await (const { messageStream: event } of resumed(MessageStream, { id, after: answer.cursor }, signal)) {
    answer = fold(answer, event);
    sessionStorage.setItem(key(id), JSON.stringify(answer));
    if (answer.finished) sessionStorage.removeItem(key(id));
    yield answer;
  }
}

/**
 * Subscribes, and subscribes again whenever the connection is lost, behind the last event that came. Calls begun each time,
 * for what may have been missed meanwhile where events have no place.
 */
export async function* resumed(query, variables, signal, begun = () => {}) {
  const place = {};
  let pause = 250; // milliseconds, doubled until it succeeds
  const opened = () => {
    pause = 250;
    setLost(query, false);
    begun();
  };
  for (;;) {
    try {
      return yield* subscribe(query, variables, place, signal, opened);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
      setLost(query, true);
      pause = Math.min(pause * 2, 10_000);
      await new Promise((wake) => setTimeout(wake, pause * (0.5 + Math.random())));
    }
  }
}

const lost = new Set();
const banner = document.querySelector('.banner');

function setLost(query, isLost) {
  isLost ? lost.add(query) : lost.delete(query);
  banner.hidden = lost.size === 0;
}
